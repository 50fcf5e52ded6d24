// Turns the stub's `permission_required` into the caller's question, and sends the same request again with the answer.
import { type Static, Type } from "typebox";
import { Check } from "typebox/value";
import { codeOf, RemoteError } from "../../../protocol/errors.js";
import { PermissionRequired } from "../../../protocol/permission.js";
import type { StubClient } from "../../stub-client/client.js";
import { abortedError } from "../../stub-client/exchange.js";
import type { OnAsk, RunnerReply } from "../runner.js";

type RequiredPath = Static<typeof PermissionRequired>;

/** One request may ask about several paths, one after the other; more than this is no honest stub. */
const ASKS_PER_REQUEST = 64;

export interface AskContext {
  client: StubClient;
  /** Without it `permission_required` is thrown as it is. */
  onAsk: OnAsk | undefined;
  sessionID?: string;
  signal?: AbortSignal;
}

/** The stub may name several paths at once: those of a batch, or both ends of a move. */
const Refusal = Type.Object({ ...PermissionRequired.properties, asks: Type.Optional(Type.Array(PermissionRequired)) });

/** Calls `attempt` with the ids of the asks answered so far until it is not refused any more. */
export async function withAsks<T>(context: AskContext, attempt: (permissionIDs: string[]) => Promise<T>): Promise<T> {
  const answered: string[] = [];
  for (;;) {
    try {
      return await attempt(answered);
    } catch (error) {
      if (codeOf(error) !== "permission_required" || answered.length >= ASKS_PER_REQUEST) throw error;
      answered.push(...(await answer(context, error as RemoteError)));
    }
  }
}

/** Asks and replies; gives the ids of the asks. Throws `permission_rejected`, and what was thrown where nobody can be asked. */
export async function answer(context: AskContext, refusal: RemoteError): Promise<string[]> {
  const { onAsk } = context;
  const { details } = refusal;
  if (onAsk === undefined || !Check(Refusal, details)) throw refusal;
  const { asks, ...first } = details;
  const all = asks ?? [first];
  for (const ask of all) await answerOne(context, onAsk, ask);
  return all.map(({ permissionID }) => permissionID);
}

async function answerOne(context: AskContext, onAsk: OnAsk, required: RequiredPath): Promise<void> {
  const { client, sessionID, signal } = context;
  const { permissionID, permission, path, access } = required;
  const ask = { ...required, ...(sessionID === undefined ? {} : { sessionID }) };
  const given = await askOrAbort(context, () => onAsk(ask, signal ?? new AbortController().signal), permissionID);
  await sendReply(client, permissionID, given, signal);
  if (given.reply === "reject") {
    const details = { permissionID, path, access };
    const what = permission === "unconfined" ? "to run it unconfined" : `${access} of ${path}`;
    throw new RemoteError("permission_rejected", given.message ?? `the user rejected ${what}`, { details });
  }
}

export async function sendReply(
  client: StubClient,
  permissionID: string,
  given: RunnerReply,
  signal?: AbortSignal,
): Promise<void> {
  try {
    await client.reply(permissionID, given, signal);
  } catch (error) {
    const code = codeOf(error);
    // Too much to be approved for always, but the user wants this one.
    if (code === "root_refused") await client.reply(permissionID, { ...given, reply: "once" }, signal);
    // Someone else of this installation was faster: the next attempt shows what was answered.
    else if (code !== "permission_replied") throw error;
  }
}

/** An abort leaves no question behind on the host. */
async function askOrAbort<T>(context: AskContext, ask: () => Promise<T>, permissionID: string): Promise<T> {
  const { client, signal } = context;
  const withdraw = () => {
    // Where it cannot be said (answered meanwhile, the link is down), the stub denies the ask itself when nobody is there.
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
