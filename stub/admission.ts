// Before a command starts: its session, its directory, its approvals. What comes out can be run as it is.
import { mkdirSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import type { CommandRequest } from "../protocol/command.js";
import { RemoteError } from "../protocol/errors.js";
import { isWithin } from "../protocol/paths.js";
import type { Workspace } from "../protocol/workspace.js";
import { fingerprintOfRequest } from "./commands/fingerprint.js";
import type { CommandSpec } from "./commands/types.js";
import type { EnforcementService, Held } from "./confinement/enforcement.js";
import { absolutePath, locate, refuseProc } from "./files/locate.js";
import { fileError } from "./files/pin.js";
import type { HostFacts } from "./host.js";
import type { Approvals } from "./permission/approvals.js";
import { type BeforeRun, type Foreseen, wholeOf } from "./permission/before-run.js";
import type { Gate, Pass } from "./permission/gate.js";
import type { Reruns } from "./permission/reruns.js";
import type { SessionPlace, Sessions } from "./sessions.js";

export interface AdmissionOptions {
  sessions: Sessions;
  approvals: Approvals;
  gate: Gate;
  enforcement: EnforcementService;
  beforeRun: BeforeRun;
  reruns: Reruns;
  host: HostFacts;
  /** Below the install root: holds the private temporary directories. */
  tmpDirectory: string;
}

/** Who sends the request. */
export interface Caller {
  approver: string | null;
  /** Aborted when the client has gone. Ends the request, never a command nor what is asked for it. */
  readonly signal: AbortSignal;
}

/** How a command was admitted: for the audit, and for what it was lent. */
export interface Admitted {
  approver: string | undefined;
  /** `approved`, `once`, `private` for a private temporary directory, or `unconfined`. */
  decision: string;
  /** To be disposed of when the command has settled. */
  lent: Disposable | undefined;
}

export class Admission {
  readonly #options: AdmissionOptions;
  readonly #admitted = new Map<string, Admitted>();

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /**
   * What is to be started. Throws `session_unknown`, `workspace_unknown`, `approver_foreign`, `cwd_missing`,
   * `permission_required`, `permission_rejected`, `enforcement_unavailable`, `aborted`.
   */
  async admit(request: CommandRequest, caller: Caller): Promise<CommandSpec> {
    const { commandID, argv, command, env, timeoutMs, stdin } = request;
    if ((argv === undefined) === (command === undefined)) {
      throw new RemoteError("invalid_request", "exactly one of argv and command must be given");
    }
    const place = await this.#options.sessions.ensure(request.sessionID, request.workspaceID, caller.approver);
    const { enforcement } = this.#options;
    if (!enforcement.isReady) await enforcement.ready;
    if (request.unconfined !== true) enforcement.refuseUnheld(place.workspace);
    const { cwd, tmpdir, decision, lent, held, foreseen } = await this.#place(request, place, caller);
    this.#admitted.set(commandID, { approver: caller.approver ?? undefined, decision, lent });
    const fingerprint = fingerprintOfRequest(request);
    this.#options.reruns.use(fingerprint);
    return {
      commandID,
      sessionID: place.session.id,
      workspaceID: place.workspace.id,
      ...(argv === undefined ? { command } : { argv }),
      cwd,
      tmpdir,
      env,
      timeoutMs,
      stdin,
      title: titleOf(request),
      ...held,
      ...foreseen,
      fingerprint,
    };
  }

  /** How this command was admitted; once, by whoever starts it. */
  take(commandID: string): Admitted | undefined {
    const admitted = this.#admitted.get(commandID);
    this.#admitted.delete(commandID);
    return admitted;
  }

  async #place(request: CommandRequest, { session, workspace }: SessionPlace, caller: Caller): Promise<Placed> {
    const pass = this.#options.gate.open({
      workspace,
      sessionID: session.id,
      onAsk: request.onAsk === "stream" ? "fail" : (request.onAsk ?? "wait"),
      permissionIDs: request.permissionID === undefined ? [] : [request.permissionID],
      // read only where an ask waits: few commands need one made
      get signal() {
        return caller.signal;
      },
      // The command may still be wanted: its client comes again with the same commandID.
      held: true,
    });
    const { reruns } = this.#options;
    if (!reruns.isEmpty) pass.lend(reruns.find(fingerprintOfRequest(request)));
    const reason = `run ${titleOf(request)}`;
    const asked = request.cwd ?? workspace.directory;
    const isPrivate = asked === null;
    const cwd = isPrivate
      ? join(this.#options.tmpDirectory, request.commandID)
      : await this.#directory(asked, workspace, pass, reason);
    const { enforcement, beforeRun } = this.#options;
    const { level } = enforcement.describe(workspace);
    if (request.unconfined === true && level !== "off") {
      await pass.requireUnconfined(wholeOf(request), cwd, reason);
      const lent = isPrivate ? this.#privateDirectory(cwd, workspace) : {};
      return { cwd, ...lent, decision: "unconfined", held: enforcement.unconfined(workspace) };
    }
    const foreseen = await beforeRun.require({ request, cwd, isPrivate, level, pass, reason });
    const lent = isPrivate ? this.#privateDirectory(cwd, workspace) : {};
    const decision = isPrivate && pass.decision === "approved" ? "private" : pass.decision;
    return {
      cwd,
      ...lent,
      decision,
      held: enforcement.hold(workspace, {
        lent: isPrivate ? [...pass.grants, { path: cwd, access: "write", kind: "directory" }] : pass.grants,
        isAsked: request.onAsk !== "fail",
      }),
      foreseen,
    };
  }

  /** Where the command is to stand; nobody is asked yet, unless there is no such directory. */
  async #directory(asked: string, workspace: Workspace, pass: Pass, reason: string): Promise<string> {
    const path = absolutePath(asked, { directory: workspace.directory, home: this.#options.host.home });
    const real = realDirectorySync(path) ?? (await this.#missing(path, asked, pass, reason));
    refuseProc(real, asked);
    if (isWithin(real, this.#options.host.installRoot) && !pass.allows(real, "read")) {
      throw new RemoteError("EACCES", `belongs to the stub itself: ${asked}`);
    }
    return real;
  }

  /** What is not there asks as well: whether it exists is told only where that is approved. */
  async #missing(path: string, asked: string, pass: Pass, reason: string): Promise<never> {
    const located = await locate(path, { directory: true }).catch((error: unknown) => {
      throw missingDirectory(error, asked);
    });
    await (located.found ? located.pin : located.ancestor)[Symbol.asyncDispose]();
    await pass.require({ path: located.real, kind: "directory" }, "read", reason);
    throw missingDirectory(located.found ? undefined : located.error, asked);
  }

  #privateDirectory(directory: string, workspace: Workspace): Pick<Placed, "tmpdir" | "lent"> {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    return { tmpdir: directory, lent: this.#options.approvals.lend(workspace.id, directory) };
  }
}

interface Placed {
  /** Canonical. */
  cwd: string;
  tmpdir?: string;
  decision: string;
  lent?: Disposable;
  held: Held;
  /** Undefined: nothing holds it, so nothing of it explains a failure. */
  foreseen?: Foreseen;
}

function titleOf({ argv, command }: CommandRequest): string {
  const title = argv === undefined ? (command ?? "") : argv.join(" ");
  return title.length > 200 ? `${title.slice(0, 200)}…` : title;
}

/**
 * Undefined where there is no such directory, or it cannot be told. Synchronous, because it is on the way of every command
 * and takes 10 us. The helper opens what comes out without following any link, so that it stays what was looked at.
 */
function realDirectorySync(path: string): string | undefined {
  try {
    const real = realpathSync.native(path);
    return !real.includes("\uFFFD") && statSync(real).isDirectory() ? real : undefined;
  } catch {
    return undefined;
  }
}

function missingDirectory(error: unknown, asked: string): RemoteError {
  const failure = fileError(error ?? new RemoteError("ENOENT", asked), asked);
  if (failure.code === "ENOENT" || failure.code === "ENOTDIR") {
    return new RemoteError("cwd_missing", `no such directory: ${asked}`, { cause: error, details: { path: asked } });
  }
  return failure;
}
