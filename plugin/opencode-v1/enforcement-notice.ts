// What the user and the model are told of a host's enforcement: once in each session, and whenever it is lower than it was.
import type { Enforcement } from "../../protocol/health.js";
import { isKernelLevel } from "../../protocol/health.js";
import { enforcementText, isLower, type Seen } from "../runner/enforcement-text.js";
import type { OpencodeClient } from "./opencode-types.js";
import { printable } from "./printable.js";

/** The oldest is told again. */
const SESSIONS = 1000;
const TOAST_MS = 10_000;

export interface EnforcementNoticeOptions {
  host: string;
  client: OpencodeClient;
  /** Local path that OpenCode works in. */
  anchor: string;
  /** What this host had when it was last seen, by whatever session; remembers what it has now. */
  seen(enforcement: Seen): Promise<Seen | undefined>;
}

export class EnforcementNotice {
  readonly #options: EnforcementNoticeOptions;
  readonly #sessions = new Map<string, Seen>();

  constructor(options: EnforcementNoticeOptions) {
    this.#options = options;
  }

  /** Lines for the model about the enforcement of a command that has run; the user is shown the same. */
  async of(sessionID: string, enforcement: Enforcement, unconfined: boolean): Promise<string[]> {
    const { host } = this.#options;
    // One run that its user wanted so says nothing of the host.
    if (unconfined) return [`this run was unconfined, as its user approved for this once (${host})`];
    const known = this.#sessions.get(sessionID);
    this.#remember(sessionID, enforcement);
    const before = known ?? (await this.#before(enforcement));
    const lower = before !== undefined && isLower(enforcement, before);
    if (known !== undefined && !lower) return [];
    if (known !== undefined) await this.#before(enforcement);
    const text = `${host}: ${printable(enforcementText(enforcement))}${lower ? ` (lower than before, which was ${before.level})` : ""}`;
    this.#show(text, lower || !isKernelLevel(enforcement.level));
    return [text];
  }

  #remember(sessionID: string, { level, landlockAbi }: Enforcement): void {
    this.#sessions.delete(sessionID);
    this.#sessions.set(sessionID, { level, landlockAbi });
    for (const oldest of this.#sessions.keys()) {
      if (this.#sessions.size <= SESSIONS) break;
      this.#sessions.delete(oldest);
    }
  }

  /** A file that cannot be read or written must not cost the command its result. */
  #before({ level, landlockAbi }: Enforcement): Promise<Seen | undefined> {
    return this.#options.seen({ level, landlockAbi }).catch(() => undefined);
  }

  #show(message: string, isWarning: boolean): void {
    const { client, anchor } = this.#options;
    const variant = isWarning ? ("warning" as const) : ("info" as const);
    const body = { title: "opencode-remote-ssh", message, variant, duration: TOAST_MS };
    // where nobody looks at a TUI there is nobody to show it to
    client.tui.showToast({ body, query: { directory: anchor } }).catch(ignore);
  }
}

function ignore(): void {
  // The model is told all the same.
}
