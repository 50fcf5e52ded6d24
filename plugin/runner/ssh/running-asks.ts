// Asks of commands that run. They come in the command's own stream, also after the stream or the stub was renewed; the answer
// goes back as to any other ask. Whatever it is, the command goes on: what it may not reach fails there.
import { codeOf, RemoteError } from "../../../protocol/errors.js";
import type { Ask } from "../../../protocol/permission.js";
import { isBroken } from "../../stub-client/broken.js";
import type { FollowOptions } from "../../stub-client/command-stream.js";
import { linkAbort } from "../../stub-client/linked-abort.js";
import { orAborted, pause } from "../../waiting/abort.js";
import type { RunnerReply } from "../runner.js";
import { type AskContext, sendReply } from "./asking.js";

const NOBODY = "nobody can be asked here";

/** One that waits no more may be the first to be told of an answer that is for all: the others hear of it soon. Milliseconds. */
const ANSWER_SPREADS_MS = 250;

interface Asking {
  /** Once it is known. */
  given?: RunnerReply;
  /** The commands that wait for it. It is asked in the name of one of them; when that is given up, of the next. */
  waiting: Set<AskContext>;
  /** Who asks just now, and what gives that up. */
  by?: AskContext;
  over: AbortController;
}

/** Of one session: two commands that want the same are one question. */
export class RunningAsks {
  readonly #asking = new Map<string, Asking>();

  /** For one command. */
  of(context: AskContext): Pick<FollowOptions, "onAsk" | "onAskOver"> {
    return {
      onAsk: (ask) => {
        this.#take(context, ask).catch(() => undefined); // the connection is away: it is told again when it is back
      },
      onAskOver: (id) => this.#leave(context, id),
    };
  }

  async #take(context: AskContext, ask: Ask): Promise<void> {
    const known = this.#asking.get(ask.id);
    if (known !== undefined) {
      known.waiting.add(context);
      if (known.given !== undefined) await this.#send(context, ask.id, known.given);
      return;
    }
    const asking: Asking = { waiting: new Set([context]), over: new AbortController() };
    this.#asking.set(ask.id, asking);
    // who comes meanwhile is seen, too
    for (const by of asking.waiting) {
      asking.by = by;
      asking.over = new AbortController();
      const given = await question(by, ask, asking.over.signal);
      if (given !== undefined && !asking.over.signal.aborted) {
        asking.given = given;
        return await this.#send(by, ask.id, given);
      }
      asking.waiting.delete(by);
      if (asking.waiting.size > 0) await pause(ANSWER_SPREADS_MS);
    }
    if (this.#asking.get(ask.id) === asking) this.#asking.delete(ask.id);
  }

  /** This command waits for it no longer: it is answered, or the command has ended. */
  #leave(context: AskContext, id: string): void {
    const asking = this.#asking.get(id);
    if (asking === undefined) return;
    asking.waiting.delete(context);
    if (asking.by === context) asking.over.abort();
    if (asking.waiting.size === 0) this.#asking.delete(id);
  }

  async #send({ client }: AskContext, id: string, given: RunnerReply): Promise<void> {
    try {
      await sendReply(client, id, given);
    } catch (error) {
      // Withdrawn meanwhile. What cannot be given is denied: the command must not wait for ever.
      if (codeOf(error) === "permission_unknown") return;
      if (isBroken(error)) throw error;
      // another stub has taken over in between: it says whether it has the answer
      if (codeOf(error) === "answer_lost") return await sendReply(client, id, given);
      const message = `the answer was not taken: ${(error as Error).message}`;
      await sendReply(client, id, { reply: "reject", message });
    }
  }
}

/** Undefined where the call was given up; its command ends, or is followed by somebody else. */
async function question(context: AskContext, ask: Ask, over: AbortSignal): Promise<RunnerReply | undefined> {
  const { onAsk, signal } = context;
  if (onAsk === undefined) return { reply: "reject", message: NOBODY };
  const { id, permission, patterns, path, access, paths, command, reason } = ask;
  const { sessionID = ask.sessionID ?? undefined } = context;
  using stop = linkAbort(signal, over);
  try {
    const asked = onAsk(
      {
        permissionID: id,
        permission,
        patterns,
        path,
        access,
        paths,
        reason,
        ...(command === undefined ? {} : { command }),
        ...(sessionID === undefined ? {} : { sessionID }),
      },
      stop.signal,
    );
    // who asks may not listen to the signal: OpenCode takes its prompt back itself, or never
    return await orAborted(asked, stop.signal);
  } catch (error) {
    if (stop.signal.aborted) return undefined;
    return { reply: "reject", message: error instanceof RemoteError ? error.message : String(error) };
  }
}
