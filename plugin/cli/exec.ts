// `exec`: a command on a host as if it ran here: bytes, exit status, Ctrl-C.
import { constants } from "node:os";
import { codeOf, RemoteError } from "../../protocol/errors.js";
import { newID } from "../../protocol/ids.js";
import { enforcementText } from "../runner/enforcement-text.js";
import { explanations } from "../runner/explanations.js";
import type {
  CommandResult,
  OutputChunk,
  RunCommandRequest,
  RunnerDestination,
  RunnerSession,
} from "../runner/runner.js";
import { onAskFor } from "./approve.js";
import { usage } from "./arguments.js";
import type { CliContext, Command } from "./context.js";
import { lowerWarning } from "./enforcement.js";
import { commandOf, hostOf, hostPath } from "./host-words.js";
import { readInput } from "./input.js";
import { LostNotice } from "./lost-notice.js";
import { printable } from "./printable.js";

/** What a cancel may take before it is left to the host, milliseconds. */
const CANCEL_LIMIT_MS = 5000;
/** From Ctrl-C on; the host kills after 2 s, what is longer is the connection. */
const LAST_WORDS_MS = 10_000;

const DROPPED_HINT =
  "the host keeps 256 MiB of a command's output, less on a small disk: write it to a file there, or read faster";

/** What one run needs, whoever asks for it: `exec` or the shell of an anchor. */
export interface Execution {
  host: string;
  /** The workspace's directory; it is approved, for the user named it. Null: a private temporary one. */
  directory: string | null;
  workspaceID?: string;
  /** What the anchor's record wants of it. */
  wish?: Pick<RunnerDestination, "enforcement" | "network">;
  what: { command: string } | { program: string; args: string[] };
  env: Record<string, string>;
  timeoutMs?: number;
  /** Standard input is the command's. */
  stdin?: boolean;
  /** Nothing is to hold it, this once. */
  unconfined?: boolean;
  yes: boolean;
}

export const exec: Command = async (context) => {
  const { words, rest, options } = context.invocation;
  if (rest === undefined) throw usage("exec needs -- before the command", "exec HOST -- CMD...");
  const host = hostOf(words, "exec");
  const what = commandOf(rest);
  const { directory } = await context.remote.resolve(host);
  const { cwd, env, timeoutMs, stdin, unconfined, yes } = options;
  return await execute(context, {
    host,
    directory: cwd === undefined ? (directory ?? null) : hostPath(cwd),
    what,
    env,
    timeoutMs,
    stdin,
    unconfined,
    yes,
  });
};

export async function execute(context: CliContext, execution: Execution): Promise<number> {
  const { directory } = execution;
  try {
    return await runIn(context, execution, directory);
  } catch (error) {
    if (codeOf(error) !== "root_refused" || directory === null) throw error;
    // It cannot be approved as a whole: the workspace has no root, and the directory asks like any other path.
    return await runIn(context, { ...execution, workspaceID: undefined }, null, directory);
  }
}

async function runIn(
  context: CliContext,
  execution: Execution,
  directory: string | null,
  cwd?: string,
): Promise<number> {
  const { remote, progress, terminal, interrupt } = context;
  const { host, what, env, timeoutMs, stdin, unconfined, yes } = execution;
  await connected(context, host);
  const workspaceID = execution.workspaceID ?? (await remote.workspaceID(host, directory));
  const shown = progress.visible;
  using lost = new LostNotice(host, (line) => void context.write("stderr", line).catch(ignore));
  const session = await remote.runner.createSession(
    { host, directory, workspaceID, name: `exec on ${host}`, ...execution.wish },
    {
      onAsk: onAskFor({ host, yes, terminal, progress }),
      onProgress: (each) => {
        progress.show(each);
        if (!shown) lost.update(each);
      },
    },
  );
  const receiver = new Receiver(context);
  const request: RunCommandRequest = {
    commandID: newID("cmd"),
    ...what,
    env,
    ...(cwd === undefined ? {} : { cwd }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(stdin ? { input: readInput(context.stdin(), () => interrupt.status !== undefined) } : {}),
    ...(unconfined ? { unconfined } : {}),
    onOutput: receiver.take,
    signal: interrupt.signal,
  };
  try {
    const result = await cancellable(context, session, request, receiver);
    if (interrupt.status !== undefined && result.aborted) {
      if (result.cancelUnconfirmed) await mayStillRun(context, host, request.commandID);
      else await lastWords(context, host, result, receiver);
    }
    progress.clear();
    if (context.globals.verbose) await context.write("stderr", `${printable(enforcementText(result.enforcement))}\n`);
    // what its user chose says nothing of the host
    const isHosts = !unconfined && (execution.wish?.enforcement ?? "best") === "best";
    const lower = isHosts ? await lowerWarning(remote, host, result.enforcement) : undefined;
    if (lower !== undefined) await context.write("stderr", `${lower}\n`);
    return await receiver.end(result);
  } catch (error) {
    if (codeOf(error) === "aborted" && (error as RemoteError).details !== undefined) {
      await mayStillRun(context, host, request.commandID);
    }
    if (codeOf(error) === "permission_required" && terminal === undefined && !yes) {
      throw new RemoteError("permission_required", (error as Error).message, {
        hint: unconfined
          ? "run it in a terminal to be asked, or --yes to allow it once"
          : cwd === undefined
            ? "run it in a terminal to be asked, or --yes to allow each once; --cwd DIR approves DIR"
            : "this directory cannot be approved as a whole: name one below it, run it in a terminal to be asked, or --yes",
        details: (error as RemoteError).details,
      });
    }
    throw error;
  } finally {
    await session.close();
  }
}

/** Until then nothing of ours runs on the host: Ctrl-C ends an upload or a question at once. */
async function connected({ remote, progress, interrupt }: CliContext, host: string): Promise<void> {
  const link = await remote.link(host);
  using _ = link.onProgress(progress.show);
  await link.ready(interrupt.signal);
}

/**
 * The first Ctrl-C ends the command on the host and waits for its end; before the command runs it just aborts, and where
 * the host cannot be told in time it leaves.
 */
async function cancellable(
  context: CliContext,
  session: RunnerSession,
  request: RunCommandRequest,
  receiver: Receiver,
): Promise<CommandResult> {
  const { interrupt, progress } = context;
  const abort = new AbortController();
  interrupt.instead(() => {
    if (session.connection === "reconnecting") return abort.abort();
    progress.show({ text: "ending the command on the host; Ctrl-C again leaves at once" });
    const limit = setTimeout(() => abort.abort(), CANCEL_LIMIT_MS);
    session
      .cancelCommand(request.commandID, abort.signal)
      .then(
        (running) => {
          if (!running) abort.abort();
        },
        () => abort.abort(),
      )
      .finally(() => clearTimeout(limit));
  });
  // Nobody reads any more, or nothing can be written: nothing is to be waited for.
  receiver.onBroken = () => abort.abort();
  try {
    return await session.runCommand({ ...request, signal: abort.signal });
  } finally {
    interrupt.instead(undefined);
  }
}

/** All that is true where the host could not be told. */
async function mayStillRun({ write, progress }: CliContext, host: string, commandID: string): Promise<void> {
  progress.clear();
  const text = `warning: ${printable(host)} could not be told: the command may still be running there (${commandID})\n`;
  await write("stderr", text);
}

/** A cancel answers at once; what the command still prints while it ends, and that it has ended, comes afterwards. */
async function lastWords(context: CliContext, host: string, result: CommandResult, receiver: Receiver): Promise<void> {
  const signal = AbortSignal.timeout(LAST_WORDS_MS);
  const record = await context.remote.lastWords(host, result.commandID, {
    from: receiver.seen,
    onOutput: receiver.take,
    signal,
  });
  if (record.survivors !== null && record.survivors.length > 0) {
    const pids = record.survivors.join(", ");
    await context.write("stderr", `warning: these processes on the host could not be ended: ${pids}\n`);
  }
}

class Receiver {
  readonly #context: CliContext;
  /** Bytes taken. */
  readonly seen = { stdout: 0, stderr: 0 };
  onBroken: () => void = () => undefined;
  #broken: { error: unknown } | undefined;

  constructor(context: CliContext) {
    this.#context = context;
  }

  readonly take = async ({ stream, offset, data }: OutputChunk): Promise<void> => {
    const { write, globals, progress } = this.#context;
    if (this.#broken !== undefined) return;
    this.seen[stream] = offset + data.length;
    progress.clear();
    try {
      if (!globals.json) await write(stream, data);
      else {
        const base64 = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");
        await write("stdout", `${JSON.stringify({ type: "output", stream, offset, base64 })}\n`);
      }
    } catch (error) {
      this.#broken = { error };
      this.onBroken();
    }
  };

  async end(result: CommandResult): Promise<number> {
    const { write, globals, interrupt } = this.#context;
    if (this.#broken !== undefined) throw this.#broken.error;
    if (globals.json) await write("stdout", `${JSON.stringify({ type: "end", ...result })}\n`);
    if (result.timedOut) throw new RemoteError("timeout", "the command took longer than --timeout and was ended");
    if (result.state === "lost") {
      throw new RemoteError("command_lost", "the command's helper died on the host; how it ended is unknown");
    }
    if (interrupt.status !== undefined && result.aborted) return interrupt.status;
    const status = exitStatus(result);
    for (const line of explanations(result)) await write("stderr", `${printable(line)}\n`);
    if (result.missedBytes === 0) return status;
    // A script must not take a part for the whole; a status that is no success says so already.
    const text = `${result.missedBytes} bytes of output were dropped on the host before they could be read`;
    if (status === 0) throw new RemoteError("output_dropped", text, { hint: DROPPED_HINT });
    await write("stderr", `warning: ${text}\n`);
    return status;
  }
}

/** As a shell gives it: 128 + n where signal n ended it. */
function exitStatus({ exit, signal }: CommandResult): number {
  if (exit !== null) return exit;
  const number = signal === null ? undefined : constants.signals[signal as NodeJS.Signals];
  return number === undefined ? 255 : 128 + number;
}

function ignore(): void {
  // Nobody reads it any more.
}
