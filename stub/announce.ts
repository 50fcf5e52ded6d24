// run/stub.json and run/stub.pid: how clients find this stub; and how a second start finds the first.
import { readFile, unlink } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { Check } from "typebox/value";
import { codeOf, ignoreMissing } from "../protocol/errors.js";
import { StubJson } from "../protocol/install.js";
import { writeAtomic } from "./state/atomic.js";

/** Written once the stub listens. */
export async function announce(runDirectory: string, stub: StubJson): Promise<void> {
  await writeAtomic(join(runDirectory, "stub.pid"), `${stub.pid}\n`);
  await writeAtomic(join(runDirectory, "stub.json"), `${JSON.stringify(stub)}\n`);
}

/** Removes both, if they are still about this instance. */
export async function withdraw(runDirectory: string, instanceID: string): Promise<void> {
  if ((await readAnnounced(runDirectory))?.instanceID !== instanceID) return;
  for (const name of ["stub.json", "stub.pid"]) await unlink(join(runDirectory, name)).catch(ignoreMissing);
}

export async function readAnnounced(runDirectory: string): Promise<StubJson | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(join(runDirectory, "stub.json"), "utf8"));
    return Check(StubJson, value) ? value : undefined;
  } catch (error) {
    if (codeOf(error) === "ENOENT" || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** True if this very instance answers on its socket. */
export function isHealthy(stub: StubJson, token: string, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const headers = { authorization: `Bearer ${token}`, host: "stub" };
    const sent = request({ socketPath: stub.socket, path: "/global/health", headers, signal }, (answer) => {
      let body = "";
      answer.setEncoding("utf8");
      answer.on("data", (text: string) => {
        body += text;
      });
      answer.on("end", () => resolve(answer.statusCode === 200 && body.includes(`"${stub.instanceID}"`)));
      answer.on("error", () => resolve(false));
    });
    sent.on("error", () => resolve(false));
    sent.end();
  });
}
