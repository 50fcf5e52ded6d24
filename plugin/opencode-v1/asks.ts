// The host's questions as OpenCode's own prompts. `ctx.ask` only resolves or throws; which answer was given (`once` or
// `always`) comes by event, so both are joined here. The stub is the only memory: OpenCode is told `always: []`.
import { posix } from "node:path";
import type { AskedPath, Reply } from "../../protocol/permission.js";
import type { OnAsk, RunnerAsk, RunnerReply } from "../runner/runner.js";
import type { CallContext, LooseEvent } from "./opencode-types.js";

/** After the prompt is gone its answer's event is there already, or never comes. Milliseconds. */
const REPLY_EVENT_MS = 2000;

const NOT_BY_RULE =
  "to run unconfined is for the user to allow each time, and a rule of OpenCode's configuration allowed it without asking";

interface Pending {
  requestID?: string;
  reply?: Reply;
  shown: () => void;
  replied: () => void;
}

/** The asks of one tool call. `refusal` is what OpenCode threw: to be thrown on, so that it ends the turn as ever. */
export interface CallAsks {
  onAsk: OnAsk;
  refusal(): unknown;
}

export class Asks {
  readonly #host: string;
  readonly #byAsk = new Map<string, Pending>();
  readonly #byRequest = new Map<string, Pending>();

  constructor(host: string) {
    this.#host = host;
  }

  /** To be called from the plugin's `event` hook. */
  handle(event: LooseEvent): void {
    const { properties } = event;
    if (event.type === "permission.asked") {
      const metadata = properties.metadata as { permissionID?: unknown } | undefined;
      const pending = this.#byAsk.get(String(metadata?.permissionID));
      if (!pending || typeof properties.id !== "string") return;
      pending.requestID = properties.id;
      pending.shown();
      this.#byRequest.set(properties.id, pending);
    } else if (event.type === "permission.replied") {
      const pending = this.#byRequest.get(String(properties.requestID));
      if (!pending || !isReply(properties.reply)) return;
      pending.reply = properties.reply;
      pending.replied();
    }
  }

  forCall(context: CallContext): CallAsks {
    let refusal: unknown;
    return {
      refusal: () => refusal,
      onAsk: async (ask) => {
        try {
          return await this.#ask(context, ask);
        } catch (error) {
          refusal = error;
          return { reply: "reject", message: reasonOf(error) };
        }
      },
    };
  }

  async #ask(context: CallContext, ask: RunnerAsk): Promise<RunnerReply> {
    let replied: () => void = () => undefined;
    const answered = new Promise<void>((resolve) => {
      replied = resolve;
    });
    let show: () => void = () => undefined;
    const shown = new Promise<void>((resolve) => {
      show = resolve;
    });
    const pending: Pending = { replied, shown: show };
    this.#byAsk.set(ask.permissionID, pending);
    try {
      await context.ask({ ...promptOf(ask, this.#host), always: [] });
      if (ask.permission === "unconfined" && pending.requestID === undefined) await within(shown, REPLY_EVENT_MS);
      if (ask.permission === "unconfined" && pending.requestID === undefined) {
        return { reply: "reject", message: NOT_BY_RULE };
      }
      if (pending.requestID !== undefined && pending.reply === undefined) await within(answered, REPLY_EVENT_MS);
      // No prompt was shown: a rule of the user's configuration allowed it, this once.
      return { reply: pending.reply === "always" ? "always" : "once" };
    } finally {
      this.#byAsk.delete(ask.permissionID);
      if (pending.requestID !== undefined) this.#byRequest.delete(pending.requestID);
    }
  }
}

/** One prompt for all that the answer is for: each directory once, as the built-in names them. */
function promptOf(ask: RunnerAsk, host: string) {
  const { permission, patterns = [], path, access, paths, command, reason, permissionID } = ask;
  const about = { access, reason, host, permissionID };
  if (permission === "unconfined") {
    // OpenCode allows by itself what has a name that it does not know; this one it asks about.
    return {
      permission: "external_directory",
      patterns: [`unconfined: ${command ?? reason}`],
      metadata: { ...about, filepath: path, parentDir: path, command },
    };
  }
  const directories = paths.map(directoryOf);
  const [parentDir = path] = directories;
  const several = paths.length > 1 ? { paths } : {};
  return {
    permission,
    // `always` may be for more: a toolchain is approved as a whole
    patterns: [...new Set([...directories.map((directory) => posix.join(directory, "*")), ...patterns.filter(isWide)])],
    metadata: { ...about, filepath: path, parentDir, ...several },
  };
}

function isWide(pattern: string): boolean {
  return pattern.endsWith("/*");
}

function directoryOf({ path, kind }: AskedPath): string {
  return kind === "directory" ? path : posix.dirname(path);
}

function isReply(value: unknown): value is Reply {
  return value === "once" || value === "always" || value === "reject";
}

/** The user's words where there are any (`PermissionCorrectedError`), else OpenCode's. */
function reasonOf(error: unknown): string {
  if (typeof error === "object" && error !== null && "feedback" in error && typeof error.feedback === "string") {
    return error.feedback.slice(0, 4096);
  }
  return (error instanceof Error ? error.message : String(error)).slice(0, 4096);
}

async function within(promise: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([promise, limit]);
  clearTimeout(timer);
}
