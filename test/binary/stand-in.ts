// A stand-in for stub/main.ts: shows what the launcher hands to the program, so that the launcher is tested by itself.
// `sleep MS` stays that long; `--probe` opens a terminal.
import { probePty } from "../../stub/pty/probe.js";

const args = process.argv.slice(2);
const parts = process.env.OPENCODE_REMOTE_SSH_PARTS ?? "";

async function main(): Promise<void> {
  const pty = args.includes("--probe") ? await probePty(parts) : undefined;
  const { pid, ppid, env, execArgv, version } = process;
  console.log(JSON.stringify({ args, parts, pid, ppid, env, execArgv, version, cwd: process.cwd(), pty }));
  const sleep = args.indexOf("sleep");
  if (sleep >= 0) setTimeout(() => undefined, Number(args[sleep + 1]));
}

main();
