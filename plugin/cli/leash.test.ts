import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { processName } from "../../test/fixtures/processes.js";
import { onLeash, watchOver } from "./leash.js";

/** A process that starts `sleep` (on the leash, or as it is), prints its pid, and waits. */
async function owner(leashed: boolean): Promise<{ process: ChildProcess; pid: number }> {
  const say = "echo $$; exec sleep 600";
  const plain = { command: "/bin/sh", args: ["-c", say] };
  const { command, args } = leashed ? onLeash(plain.command, plain.args) : plain;
  const script = `
    const { spawn } = require("node:child_process");
    const child = spawn(${JSON.stringify(command)}, ${JSON.stringify(args)}, { stdio: ["pipe", "pipe", "inherit"], detached: true });
    child.stdout.pipe(process.stdout);
    setInterval(() => {}, 1000);
  `;
  const process_ = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  const [data] = (await once(process_.stdout, "data")) as [Buffer];
  return { process: process_, pid: Number(data.toString().trim()) };
}

async function endsWithin(pid: number, ms: number): Promise<boolean> {
  for (const until = Date.now() + ms; Date.now() < until; ) {
    if ((await processName(pid)) === undefined) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
}

describe("a child on the leash", () => {
  it("ends when whoever started it is killed with -9", async () => {
    const { process: started, pid } = await owner(true);
    expect(await processName(pid)).toBeDefined();
    started.kill("SIGKILL");
    expect(await endsWithin(pid, 10_000)).toBe(true);
  });

  it("would go on for ever without it", async () => {
    const { process: started, pid } = await owner(false);
    started.kill("SIGKILL");
    await once(started, "exit");
    expect(await endsWithin(pid, 500)).toBe(false);
    process.kill(pid, "SIGKILL");
  });

  it("gives its exit status, and ends in its own time when its group is asked to", async () => {
    const script = "trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.05; done";
    const { command, args } = onLeash("/bin/sh", ["-c", script]);
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"], detached: true });
    let said = "";
    child.stdout.on("data", (data: Buffer) => {
      said += data.toString();
    });
    await once(child.stdout, "data");
    process.kill(-(child.pid as number), "SIGTERM");
    const [code] = (await once(child, "exit")) as [number];
    expect({ code, said }).toEqual({ code: 5, said: "ready\nbye\n" });
  });
});

describe("a child that is watched over", () => {
  /** A process that starts `sleep`, and a watcher over it as `watchOver` does, prints the child's pid, and waits. */
  async function watched(): Promise<{ process: ChildProcess; pid: number }> {
    const module = fileURLToPath(new URL("./leash.ts", import.meta.url));
    const script = `
      import { spawn } from "node:child_process";
      import { watchOver } from ${JSON.stringify(module)};
      const child = spawn("/bin/sleep", ["600"], { stdio: "ignore" });
      watchOver(child.pid);
      console.log(child.pid);
      setInterval(() => {}, 1000);
    `;
    const args = ["--import", "tsx", "--input-type=module", "-e", script];
    const process_ = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    const [data] = (await once(process_.stdout, "data")) as [Buffer];
    return { process: process_, pid: Number(data.toString().trim()) };
  }

  it("ends when whoever started it is killed with -9, in the process group that it was in", async () => {
    const { process: started, pid } = await watched();
    expect(await processName(pid)).toBeDefined();
    started.kill("SIGKILL");
    expect(await endsWithin(pid, 10_000)).toBe(true);
  });

  it("goes on when the watcher is dismissed", async () => {
    const child = spawn("/bin/sleep", ["600"], { stdio: "ignore" });
    watchOver(child.pid as number)[Symbol.dispose]();
    expect(await endsWithin(child.pid as number, 500)).toBe(false);
    child.kill("SIGKILL");
  });
});
