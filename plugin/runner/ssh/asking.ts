// Turns the stub's `permission_required` into the caller's question, and sends the same request again with the answer.
import { Check } from "typebox/value";
import { codeOf, RemoteError } from "../../../protocol/errors.js";
import { PermissionRequired } from "../../../protocol/permission.js";
import type { StubClient } from "../../stub-client/client.js";
import { abortedError } from "../../stub-client/exchange.js";
import type { OnAsk } from "../runner.js";

/** One request may ask about several paths, one after the other; more than this is no honest stub. */
const ASKS_PER_REQUEST = 64;

export interface AskContext {
  client: StubClient;
  /** Without it `permission_required` is thrown as it is. */
  onAsk: OnAsk | undefined;
  sessionID?: string;
  signal?: AbortSignal;
}

/** Calls `attempt` with the ids of the asks answered so far until it is not refused any more. */
export async function withAsks<T>(context: AskContext, attempt: (permissionIDs: string[]) => Promise<T>): Promise<T> {
  const answered: string[] = [];
  for (;;) {
    try {
      return await attempt(answered);
    } catch (error) {
      if (codeOf(error) !== "permission_required" || answered.length >= ASKS_PER_REQUEST) throw error;
      answered.push(await answer(context, error as RemoteError));
    }
  }
}

/** Asks and replies; gives the ask's id. Throws `permission_rejected`, and what was thrown where nobody can be asked. */
export async function answer(context: AskContext, refusal: RemoteError): Promise<string> {
  const { client, onAsk, sessionID, signal } = context;
  const { details } = refusal;
  if (onAsk === undefined || !Check(PermissionRequired, details)) throw refusal;
  const ask = { ...details, ...(sessionID === undefined ? {} : { sessionID }) };
  const reply = await askOrAbort(context, () => onAsk(ask, signal ?? new AbortController().signal), ask.permissionID);
  try {
    await client.reply(details.permissionID, reply, signal);
  } catch (error) {
    // Someone else of this installation was faster: the next attempt shows what was answered.
    if (codeOf(error) !== "permission_replied") throw error;
  }
  if (reply.reply === "reject") {
    throw new RemoteError(
      "permission_rejected",
      reply.message ?? `the user rejected ${details.access} of ${details.path}`,
      {
        details: { path: details.path, access: details.access },
      },
    );
  }
  return details.permissionID;
}

/** An abort leaves no question behind on the host. */
async function askOrAbort<T>(context: AskContext, ask: () => Promise<T>, permissionID: string): Promise<T> {
  const { client, signal } = context;
  const withdraw = () => {
    client.reply(permissionID, { reply: "reject", message: "the request was aborted" }).catch(() => undefined);
  };
  if (signal === undefined) return await ask();
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => {
      withdraw();
      reject(abortedError(signal));
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([ask(), aborted]);
  } catch (error) {
    if (signal.aborted) return await aborted;
    throw error;
  } finally {
    if (onAbort !== undefined) signal.removeEventListener("abort", onAbort);
  }
}
