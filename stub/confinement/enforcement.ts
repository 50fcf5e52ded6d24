// What holds the commands of a workspace: its wish, met with what the host's kernel can do. Nothing here claims more than is applied.
import { RemoteError } from "../../protocol/errors.js";
import { type Enforcement, type EnforcementLevel, isKernelLevel } from "../../protocol/health.js";
import type { Workspace } from "../../protocol/workspace.js";
import type { Surroundings } from "../commands/host-environment.js";
import type { Confinement } from "../commands/request.js";
import { type Protected, refuseRoot } from "../permission/refusals.js";
import type { HeldTerminal } from "../pty/held-terminal.js";
import type { Granted } from "./entries.js";
import { enforcementAt, type Levels } from "./levels.js";
import type { Policies, PolicyWish } from "./policy.js";
import type { HeldProgram } from "./program.js";

/** `enum confine_level` of stub/native/confine/confine.h. */
const BITS: Record<EnforcementLevel, number> = {
  off: 0,
  static: 0,
  landlock: 1,
  mount: 2,
  "mount+landlock": 3,
  guard: 4,
};
const ASK_BIT = 8;

export interface EnforcementServiceOptions {
  levels: Promise<Levels>;
  policies: Policies;
  host: Protected;
  /** Absolute path of the helper binary. */
  helper: string;
  /** What is asked during a run and no stub takes is denied after so long. */
  askWaitMs: number;
}

/** For one command, or one program that the stub itself runs. */
export interface Held {
  enforcement: Enforcement;
  /** Undefined at `static` and `off`: nothing is applied. */
  confinement: Confinement | undefined;
  surroundings: Surroundings | undefined;
}

interface HoldWish extends Omit<PolicyWish, "isView"> {
  /** False: what a running command wants and was not approved is refused without a question. */
  isAsked?: boolean;
}

type Wish = Pick<Workspace, "enforcement" | "network">;

export class EnforcementService {
  readonly #options: EnforcementServiceOptions;
  readonly #described = new Map<string, Enforcement>();
  #levels: Levels | undefined;

  constructor(options: EnforcementServiceOptions) {
    this.#options = options;
    options.levels.then(
      (levels) => {
        this.#levels = levels;
      },
      () => undefined, // told to whoever waits for it: the entry does not start without
    );
  }

  /** Resolves when the levels have been tried; rejects where a forced one does not work here. */
  get ready(): Promise<Levels> {
    return this.#options.levels;
  }

  /** True once `ready` has resolved: nothing below waits then. */
  get isReady(): boolean {
    return this.#levels !== undefined;
  }

  /** What a workspace that wishes this gets; without a wish: what is usual. Only once `ready`. */
  describe({ enforcement: wish = "best", network = true }: Wish = {}): Enforcement {
    const levels = this.#known();
    const key = `${wish} ${network}`;
    const known = this.#described.get(key);
    if (known !== undefined) return known;
    const { landlockAbi } = levels;
    const off: Levels = { level: "off", ask: false, landlockAbi, reason: "the workspace's user turned it off" };
    const enforcement = enforcementAt(wish === "off" ? off : levels, network);
    this.#described.set(key, enforcement);
    return enforcement;
  }

  /** Whether the level shows commands a view that holds nothing but what was approved. */
  get hasView(): boolean {
    return isView(this.#known().level);
  }

  /**
   * Throws `enforcement_unavailable` where the workspace requires what the kernel here cannot do, and `root_refused` where it was
   * made at a better level: its root holds the stub's own files, and nothing would keep commands from them.
   */
  refuseUnheld(workspace: Workspace): void {
    const enforcement = this.describe(workspace);
    const { level } = enforcement;
    if (workspace.enforcement === "required" && !isKernelLevel(level)) throw required(enforcement);
    if (isView(level)) return;
    const { host } = this.#options;
    if (workspace.directory !== null) refuseRoot(workspace.directory, host, false);
    for (const root of workspace.readRoots) refuseRoot(root, host, false);
  }

  /** Throws what `refuseUnheld` throws. Only once `ready`. */
  hold(workspace: Workspace, { isAsked = true, ...wish }: HoldWish = {}): Held {
    this.refuseUnheld(workspace);
    const enforcement = this.describe(workspace);
    const { level, ask } = enforcement;
    if (BITS[level] === 0) return { enforcement, confinement: undefined, surroundings: undefined };
    const { key, bytes, surroundings } = this.#options.policies.of(workspace, { ...wish, isView: isView(level) });
    const askWaitMs = isAsked ? this.#options.askWaitMs : 0;
    const confinement: Confinement = { level: BITS[level] | (ask ? ASK_BIT : 0), askWaitMs, key, policy: bytes };
    return { enforcement, confinement, surroundings };
  }

  /** For one run that its user approved as that. Only once `ready`. */
  unconfined({ network = true }: Wish): Held {
    const { landlockAbi } = this.#known();
    const enforcement = enforcementAt(
      { level: "off", ask: false, landlockAbi, reason: "unconfined, approved once" },
      network,
    );
    return { enforcement, confinement: undefined, surroundings: undefined };
  }

  /**
   * For a program that the stub itself runs for the workspace, and that `policy` is enough for (without one: the workspace's own, and
   * what was `lent`). Undefined at `static` and `off`. Throws what `refuseUnheld` throws. Only once `ready`.
   */
  holdProgram(workspace: Workspace, policy?: () => Buffer, lent?: Granted[]): HeldProgram | undefined {
    this.refuseUnheld(workspace);
    const { level } = this.describe(workspace);
    if (BITS[level] === 0) return undefined;
    const cheapest = level === "mount" || level === "guard" ? level : "landlock";
    const { helper, policies } = this.#options;
    const bytes = policy?.() ?? policies.of(workspace, { isView: cheapest === "mount", lent }).bytes;
    return { helper, level: cheapest, policy: bytes };
  }

  /** For a terminal: what a command gets, but nothing is asked. Throws what `refuseUnheld` throws. Only once `ready`. */
  holdTerminal(workspace: Workspace, login: Readonly<Record<string, string>>, lent: Granted[]): HeldTerminal {
    const { enforcement, confinement, surroundings } = this.hold(workspace, { lent });
    const { level, landlockAbi, reason } = enforcement;
    const unasked = enforcementAt({ level, ask: false, landlockAbi, reason }, workspace.network !== false);
    const variables = surroundings?.variables(login) ?? {};
    return { enforcement: unasked, helper: this.#options.helper, policy: confinement?.policy, variables };
  }

  #known(): Levels {
    if (this.#levels === undefined) throw new RemoteError("internal", "the levels have not been tried yet");
    return this.#levels;
  }
}

function isView(level: EnforcementLevel): boolean {
  return level === "mount" || level === "mount+landlock";
}

function required({ level, reason }: Enforcement): RemoteError {
  const why = reason ?? "the kernel has none of them";
  return new RemoteError(
    "enforcement_unavailable",
    `the kernel cannot hold commands here, level ${level} is all there is`,
    {
      hint: `${why}; this one run can be approved as unconfined`,
      details: { level, reason: why },
    },
  );
}
