// The WAN in a process of its own, so that its work does not stand in the way of what is timed.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { startWan } from "../test/ssh/fixtures/wan.js";

export interface WanProcess {
  port: number;
  stop(): void;
}

export async function startWanProcess(options: { target: number; delayMs: number }): Promise<WanProcess> {
  const child: ChildProcess = fork(fileURLToPath(import.meta.url), [String(options.target), String(options.delayMs)]);
  const [port] = (await once(child, "message")) as [number];
  return { port, stop: () => child.kill() };
}

if (process.send !== undefined && process.argv[1] === fileURLToPath(import.meta.url)) {
  const wan = await startWan({ target: Number(process.argv[2]), delayMs: Number(process.argv[3]) });
  process.send(wan.port);
}
