// What a tool needs of its surroundings: the host's session, its directory, and how to ask. One per anchor.
import { codeOf } from "../../../protocol/errors.js";
import type { InFlightJournal } from "../../laptop/in-flight.js";
import type { HostFacts, OperationOptions, RunnerSession } from "../../runner/runner.js";
import type { Asks } from "../asks.js";
import type { AwayCommands } from "../away.js";
import { type ConnectionWatch, WAIT_FOR_CALL_MS, WAIT_FOR_COMMAND_MS } from "../connection-watch.js";
import type { EnforcementNotice } from "../enforcement-notice.js";
import { toolError } from "../failure.js";
import type { LiveOutput } from "../live-output.js";
import type { CallContext, CallResult } from "../opencode-types.js";
import type { PathLocks } from "../path-locks.js";
import type { ReadCache } from "../read-cache.js";
import type { HostDirectory } from "../remote-path.js";
import type { SavedOutput } from "../saved-output.js";
import type { ChangeOwners } from "../undo/change-owners.js";
import type { OutputLimits } from "./descriptions.js";

export interface ToolHost {
  /** Name of the host for messages. */
  name: string;
  /** Local path of the anchor. */
  anchor: string;
  /** Throws what made the anchor unusable (a broken record, a wrong configuration). Opens no connection. */
  session(): Promise<RunnerSession>;
  /** Connects where needed; known facts are given again. */
  facts(signal?: AbortSignal): Promise<HostFacts>;
  /** Asked for at each call: the user's configuration can change them. */
  limits(): OutputLimits;
  connection: ConnectionWatch;
  asks: Asks;
  owners: ChangeOwners;
  cache: ReadCache;
  locks: PathLocks;
  saved: SavedOutput;
  /** Commands that a result is waited for. */
  journal: InFlightJournal;
  /** Commands that went on without anybody. */
  away: AwayCommands;
  live(context: CallContext): LiveOutput;
  enforcement: EnforcementNotice;
  /** Calls whose answer was cut: OpenCode overwrites that mark of a plugin tool, so it is set again afterwards. */
  truncated: Set<string>;
}

/** One call of a tool: the session, where it works, and the options of every operation. */
export interface Call {
  session: RunnerSession;
  at: HostDirectory;
  context: CallContext;
  options: OperationOptions;
  /** The user wants no more of it. Part of `options.signal`. */
  aborted: AbortSignal;
  /** The connection has been lost for too long. Part of `options.signal`. */
  lost: AbortSignal;
  /** The host may be at work from here on: a lost connection is waited for much longer. */
  committed(): void;
}

/** Runs `work` with everything a call needs; errors become what the model reads. */
export async function withCall(
  host: ToolHost,
  context: CallContext,
  work: (call: Call) => Promise<CallResult>,
): Promise<CallResult> {
  const asks = host.asks.forCall(context);
  const abort = abortUntilDone(context.abort);
  const guard = host.connection.guard(WAIT_FOR_CALL_MS);
  const signal = AbortSignal.any([abort.signal, guard.signal]);
  try {
    const session = await host.session();
    if (host.connection.lost) await session.describe(signal);
    const facts = await host.facts(signal);
    const at = { directory: facts.directory ?? facts.home, home: facts.home, anchor: host.anchor };
    const options = { signal, onAsk: asks.onAsk, sessionID: context.sessionID, change: host.owners.of(context) };
    const committed = () => guard.extend(WAIT_FOR_COMMAND_MS);
    const result = await work({
      session,
      at,
      context,
      options,
      aborted: abort.signal,
      lost: guard.signal,
      committed,
    });
    if (result.metadata?.truncated === true && context.callID !== undefined) host.truncated.add(context.callID);
    return result;
  } catch (error) {
    // What gave up by itself says more than that it had to.
    const gaveUp = guard.signal.aborted && !context.abort.aborted && codeOf(error) !== "host_unreachable";
    const reason = gaveUp ? guard.signal.reason : error;
    throw asks.refusal() ?? toolError(reason, host.name);
  } finally {
    guard.dispose();
    abort.dispose();
  }
}

/** OpenCode aborts also after a call has completed; by then nobody of us listens. */
function abortUntilDone(source: AbortSignal): { signal: AbortSignal; dispose(): void } {
  const controller = new AbortController();
  const onAbort = () => controller.abort(source.reason);
  if (source.aborted) onAbort();
  else source.addEventListener("abort", onAbort, { once: true });
  return { signal: controller.signal, dispose: () => source.removeEventListener("abort", onAbort) };
}
