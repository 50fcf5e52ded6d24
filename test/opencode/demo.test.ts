// `npm run demo` interrupted: what a user stops halfway leaves nothing behind.
import { spawn } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";

const ROOT = join(import.meta.dirname, "../..");

/** Ctrl-C as a terminal gives it, to the whole group, once the demo has said `text`; what is left of its files. */
async function interrupted(text: string): Promise<{ code: number | null; left: string[]; output: string }> {
  const directory = await mkdtemp(join(tmpdir(), "ocr-interrupted-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const demo = spawn(process.execPath, ["--import", "tsx", "demo/main.ts"], {
    cwd: ROOT,
    env: { ...process.env, TMPDIR: directory },
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
  });
  let output = "";
  let sent = false;
  demo.stdout.on("data", (data: Buffer) => {
    output += data;
    if (sent || !output.includes(text) || demo.pid === undefined) return;
    sent = true;
    process.kill(-demo.pid, "SIGINT");
  });
  const code = await new Promise<number | null>((resolve) => demo.once("close", resolve));
  const left = (await readdir(directory)).filter((name) => !name.startsWith("tsx-"));
  return { code, left, output };
}

it.each(["looking for the stub", "The agent runs a command", "Control:"])(
  "Ctrl-C after %j ends the demo with 130 and leaves no file of it",
  async (text) => {
    const { code, left, output } = await interrupted(text);
    expect(code, output).toBe(130);
    expect(left, output).toEqual([]);
    expect(output).not.toContain("FAIL");
  },
  120_000,
);
