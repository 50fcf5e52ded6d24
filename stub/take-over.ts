// The newer stub's side of an upgrade: the one that runs stands still, the state is read, and it is told when this one listens.
import { request } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { Check } from "typebox/value";
import { RemoteError } from "../protocol/errors.js";
import { HandoverAnswer, type HandoverRequest } from "../protocol/handover.js";
import { compareVersions, PACKAGE_VERSION, PROTOCOL } from "../protocol/version.js";
import { readAnnounced } from "./announce.js";
import { isAlive, type ProcessName } from "./process-name.js";

/** For the old one to stand still: a save under way may be on a slow disk. */
const AGREED_WITHIN_MS = 10_000;
/** For one that knows nothing of this, to end by SIGTERM. */
const ENDED_WITHIN_MS = 15_000;

export interface Succession {
  /** Commands whose ends are ours to record. */
  commands: string[];
  /** This stub listens: the old one drains and ends. */
  complete(): void;
}

export interface TakeOverOptions {
  /** The instance that is to be replaced, and no other: of two new stubs the second must not replace the first. */
  instanceID: string;
  runDirectory: string;
  token: string;
}

/**
 * Undefined where the stub that runs stays: it is another instance by now, or newer. One that does not answer, or is too old to know
 * how to hand over, is ended; its commands go on. Throws `stub_unhealthy` where it does not end.
 */
export async function takeOver(holder: ProcessName, options: TakeOverOptions): Promise<Succession | undefined> {
  const running = await readAnnounced(options.runDirectory);
  if (running?.pid !== holder.pid || running.instanceID !== options.instanceID) return undefined;
  if (running.protocol.major > PROTOCOL.major || compareVersions(running.version, PACKAGE_VERSION) > 0)
    return undefined;
  const agreed = await ask(running.socket, options.token).catch((error: unknown) => {
    // It does not know how, or is not there: the lock says more. What it answers otherwise is its word.
    if (error instanceof RemoteError && error.code !== "not_found") throw error;
    return undefined;
  });
  if (agreed !== undefined) return agreed;
  await end(holder);
  return { commands: [], complete: () => undefined };
}

function ask(socketPath: string, token: string): Promise<Succession> {
  return new Promise((resolve, reject) => {
    const body: HandoverRequest = { version: PACKAGE_VERSION, protocol: { ...PROTOCOL } };
    const headers = { authorization: `Bearer ${token}`, host: "stub", "content-type": "application/json" };
    const sent = request({ socketPath, method: "POST", path: "/stub/handover", headers, agent: false });
    const limit = setTimeout(() => sent.destroy(new Error("it does not answer")), AGREED_WITHIN_MS);
    let text = "";
    sent.on("error", reject);
    sent.on("response", (answer) => {
      answer.setEncoding("utf8");
      answer.on("error", reject);
      answer.on("end", () => {
        if (answer.statusCode === 200) reject(new Error("it ended"));
        else reject(RemoteError.fromWire(parse(text), answer.statusCode ?? 0));
      });
      answer.on("data", (chunk: string) => {
        text += chunk;
        if (answer.statusCode !== 200 || !text.includes("\n")) return;
        const agreed = parse(text);
        if (!Check(HandoverAnswer, agreed)) return reject(new Error("it answered in another shape"));
        clearTimeout(limit);
        resolve({ commands: agreed.commands, complete: () => void sent.destroy() });
      });
    });
    sent.end(JSON.stringify(body));
  });
}

async function end(holder: ProcessName): Promise<void> {
  const until = performance.now() + ENDED_WITHIN_MS;
  if (isAlive(holder)) process.kill(holder.pid, "SIGTERM");
  while (isAlive(holder)) {
    if (performance.now() > until) {
      throw new RemoteError("stub_unhealthy", `the stub that runs (process ${holder.pid}) does not end`, {
        hint: `kill ${holder.pid} on the host and connect again; commands go on`,
      });
    }
    await pause(50);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
