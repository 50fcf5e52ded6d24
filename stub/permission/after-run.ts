// What a command was refused while it ran and could not be given (to make, move or execute something): asked for when it has ended,
// so that it can be run again. What was asked while it ran is not asked twice.
import { Type } from "typebox";
import { Check } from "typebox/value";
import type { Blocked, BlockedRequest } from "../../protocol/command.js";
import { RemoteError } from "../../protocol/errors.js";
import { type AskedPath, PermissionRequired } from "../../protocol/permission.js";
import type { NamedPath } from "../command-text/read-command.js";
import type { Command } from "../commands/types.js";
import type { SessionPlace } from "../sessions.js";
import type { BeforeRun } from "./before-run.js";
import { pathsOutside, withoutCovered } from "./command-paths.js";
import type { Gate } from "./gate.js";
import type { Rejections } from "./rejections.js";
import type { Reruns } from "./reruns.js";

export interface AfterRunOptions {
  beforeRun: BeforeRun;
  gate: Gate;
  reruns: Reruns;
  rejections: Rejections;
}

export interface AfterRunRequest extends BlockedRequest {
  /** Aborted when the client has gone: the ask ends with it. */
  signal: AbortSignal;
}

export class AfterRun {
  readonly #options: AfterRunOptions;

  constructor(options: AfterRunOptions) {
    this.#options = options;
  }

  /**
   * What its rerun reaches; empty where there is nothing to ask. Throws `permission_required`; `permission_rejected`, also for what
   * was rejected after an earlier run of this session.
   */
  async ask(command: Command, place: SessionPlace, request: AfterRunRequest): Promise<AskedPath[]> {
    const { beforeRun, gate, reruns, rejections } = this.#options;
    const { blocked = [], cwd, title, enforcement } = command.record();
    const named = blocked.filter(({ operation }) => operation !== "open").map(namedBy);
    const { onAsk = "wait", permissionID, signal } = request;
    const sessionID = place.session.id;
    const pass = gate.open({
      workspace: place.workspace,
      sessionID,
      onAsk,
      permissionIDs: [...(permissionID === undefined ? [] : [permissionID]), ...rejections.of(sessionID)],
      signal,
    });
    const where = beforeRun.place({ cwd, isPrivate: false, level: enforcement.level, pass });
    const wanted = withoutCovered(await pathsOutside(named, where));
    try {
      await pass.requireTogether(wanted, `run again ${title}`);
    } catch (error) {
      if (error instanceof RemoteError && Check(ToldOf, error.details)) {
        rejections.note(sessionID, error.details.permissionID);
      }
      throw error;
    }
    if (pass.grants.length > 0) reruns.keep(command.fingerprint, pass.grants);
    return wanted.map(({ target, access }) => ({ ...target, access }));
  }
}

/** Of `permission_required` and `permission_rejected` alike. */
const ToldOf = Type.Pick(PermissionRequired, ["permissionID"]);

function namedBy({ path, access }: Blocked): NamedPath {
  return { path, use: access === "write" ? "entry" : "read" };
}
