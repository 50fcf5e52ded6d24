// `npm run demo`: the real OpenCode works on a host that it has never seen, over SSH, and asks before it leaves its directory.
// The host is an SSH server on loopback with a home of its own. It is this machine, so output alone proves nothing:
// the audit log of the stub and the ancestry of the processes do.
import { existsSync } from "node:fs";
import { mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Remote } from "../plugin/compose.js";
import { Witness } from "../test/fixtures/witness.js";
import { HOST, startWorld, type World } from "../test/opencode/fixtures/world.js";
import type { EmbeddedHost } from "./embedded-host.js";
import { createReport } from "./report.js";

const report = createReport((text) => process.stdout.write(text));
const timer = () => {
  const started = performance.now();
  return () => `${Math.round(performance.now() - started)} ms`;
};

/** From a bare host to a running stub, by the library itself, before OpenCode is there. */
async function bootstrap(host: EmbeddedHost, remote: Remote): Promise<void> {
  report.heading("A host over SSH, with nothing of ours on it");
  report.line(`${host.user}@${host.host}:${host.port} (ssh2's server on loopback; public key only), home ${host.home}`);
  report.heading("Bootstrap: probe, upload, start, prove");
  const link = await remote.link(HOST);
  const cold = timer();
  let shown = "";
  using _progress = link.onProgress(({ text }) => {
    // one line for each step, not for each piece of the upload
    const step = text.replace(/[\d.]+\/[\d.]+ MB$/, "");
    if (step !== shown) report.line(`${cold().padStart(8)}  ${text}`);
    shown = step;
  });
  const identity = await link.ready();
  report.line(`all of it: ${cold()}; stub ${identity.version}, pid ${identity.pid} on the host`);
  const execs = host.counts.execs;
  const hot = timer();
  await (await remote.client(HOST)).health();
  report.line(`health through the tunnel: ${hot()}`);
  report.check("the stub answers, and asking it runs nothing on the host", host.counts.execs === execs);
}

async function commandOnHost(world: World): Promise<void> {
  report.heading("The agent runs a command");
  const conversation = await world.conversation();
  const took = timer();
  const witness = new Witness(world.work);
  const turn = conversation.say("Which machine is this?", [
    { calls: [{ name: "bash", arguments: { command: `uname -a; ${witness.text}` } }] },
  ]);
  // a turn that ends without having run the command was not witnessed
  const above = await Promise.race([witness.ancestors(), turn.then(() => [])]);
  const { answers, tools } = await turn;
  report.line(`model: bash "uname -a" (the whole turn: ${took()})`);
  report.quote(answers[0] ?? "");
  const { commandID } = tools[0]?.state?.metadata ?? {};
  const audit = (await world.audit()).filter((line) => line.commandID === commandID);
  for (const line of audit)
    report.line(`audit: ${line.time} ${line.event} ${line.decision ?? line.state} in ${line.cwd ?? world.work}`);
  report.check("the command descends from the stub's spawner on the host", above.includes(await world.stubPid()));
  report.check("it does not descend from OpenCode", above.length > 0 && !above.includes(world.opencode.pid));
  report.check(
    "its start and its end are in the host's audit log",
    audit.map((line) => line.event).join() === "command,exit",
  );
}

async function editOnHost(world: World): Promise<void> {
  report.heading("The agent edits a file");
  const file = join(world.work, "server.conf");
  await writeFile(file, "listen 80\nworkers 1\n");
  const conversation = await world.conversation();
  const { tools } = await conversation.say("Use four workers.", [
    { calls: [{ name: "read", arguments: { filePath: file } }] },
    { calls: [{ name: "edit", arguments: { filePath: file, oldString: "workers 1", newString: "workers 4" } }] },
  ]);
  report.quote(String(tools[1]?.state?.metadata?.diff));
  const inAnchor = existsSync(join(world.anchor, "server.conf"));
  report.check("the file on the host has changed", (await readFile(file, "utf8")) === "listen 80\nworkers 4\n");
  report.check("nothing of it lies in the directory that OpenCode has here", !inAnchor);
}

async function askBeforeLeaving(world: World, outside: string): Promise<void> {
  report.heading("The agent wants a file outside its directory");
  const file = join(outside, "secret.txt");
  await writeFile(file, "the secret\n");
  const conversation = await world.conversation();
  const read = { calls: [{ name: "read", arguments: { filePath: file } }] };
  const refused = conversation.say("Read it.", [read]);
  const first = await world.nextAsk(conversation.sessionID);
  report.line(
    `OpenCode asks: ${first.permission} ${first.patterns.join(" ")} (${first.metadata.access}, on ${first.metadata.host})`,
  );
  report.line("the user: reject");
  await world.reply(first, "reject", "not this one");
  const { tools } = await refused;
  report.quote(String(tools[0]?.state?.error));
  report.check(
    "it is refused until it is approved",
    tools[0]?.state?.status === "error" && !JSON.stringify(tools).includes("the secret"),
  );
  const allowed = conversation.say("Read it now.", [read]);
  const second = await world.nextAsk(conversation.sessionID);
  report.line("OpenCode asks again; the user: once");
  await world.reply(second, "once");
  const { answers } = await allowed;
  report.quote(answers.at(-1) ?? "");
  report.check("it is read after the approval", answers.at(-1)?.includes("the secret") === true);
  const replies = (await world.audit()).filter((line) => line.event === "reply" && line.path === file);
  report.check(
    "both answers are in the host's audit log",
    replies.map((line) => line.decision).join() === "reject,once",
  );
}

async function controlWithoutStub(world: World): Promise<void> {
  report.heading("Control: the same with the stub stopped, and the host refusing to start it again");
  await world.stopStub();
  world.host.pause();
  const canary = join(world.work, "canary");
  const conversation = await world.conversation();
  const { tools } = await conversation.say("Try once more.", [
    { calls: [{ name: "bash", arguments: { command: `uname -a; touch ${canary}` } }] },
  ]);
  report.quote(String(tools[0]?.state?.error ?? tools[0]?.state?.output));
  report.check("without the stub the command fails", tools[0]?.state?.status === "error");
  report.check("and nothing ran here in its stead", !existsSync(canary));
  world.host.resume();
}

const interrupt = new AbortController();
let world: World | undefined;
let outside: string | undefined;

async function cleanUp(): Promise<void> {
  report.heading("Cleaning up");
  await world?.stop();
  if (outside) await rm(outside, { recursive: true, force: true });
}

async function main(): Promise<boolean> {
  const started = timer();
  let stubPid: number | undefined;
  try {
    outside = await realpath(await mkdtemp(join(tmpdir(), "ocr-demo-outside-")));
    world = await startWorld({ onHost: bootstrap, signal: interrupt.signal });
    stubPid = await world.stubPid();
    report.heading("OpenCode, the real binary, with the plugin and a model that follows a script");
    report.line(`opencode serve at ${world.opencode.url}, pid ${world.opencode.pid}`);
    report.line(`works in ${world.anchor}`);
    report.line(`which stands for ${HOST}:${world.work}`);
    await commandOnHost(world);
    await editOnHost(world);
    await askBeforeLeaving(world, outside);
    await controlWithoutStub(world);
  } catch (error) {
    if (interrupt.signal.aborted) return false;
    report.quote(error instanceof Error ? (error.stack ?? error.message) : String(error));
    report.check("the demo ran to its end", false);
  }
  await cleanUp();
  if (stubPid !== undefined) report.check("the stub is gone", !existsSync(`/proc/${stubPid}`));
  const ok = report.end();
  report.line(`all in ${started()}`);
  return ok;
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => interrupt.abort());
const running = main();
const interrupted = new Promise<void>((resolve) => interrupt.signal.addEventListener("abort", () => resolve()));
await Promise.race([running, interrupted]);
if (interrupt.signal.aborted) {
  // OpenCode has had the Ctrl-C of the terminal, too: whatever main waits for fails by itself, but nobody should wait for that
  if (world === undefined) await running;
  await cleanUp().catch((error: Error) => report.quote(error.message));
  process.exit(130);
}
process.exitCode = (await running) ? 0 : 1;
