// The entry on the host: reads flags and environment, makes sure that it is the only one, listens, and ends cleanly.
import { randomBytes } from "node:crypto";
import { chmod, mkdir, realpath } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import closeWithGrace from "close-with-grace";
import { codeOf, RemoteError } from "../protocol/errors.js";
import type { StubJson } from "../protocol/install.js";
import { isWithin } from "../protocol/paths.js";
import { PACKAGE_VERSION, PROTOCOL } from "../protocol/version.js";
import { announce, isHealthy, readAnnounced, withdraw } from "./announce.js";
import { buildApp } from "./app.js";
import { loadToken } from "./auth/token.js";
import { HostCommandService } from "./commands/service.js";
import { findLevels } from "./confinement/levels.js";
import { HELP, parseFlags, type StubFlags } from "./flags.js";
import type { HostFacts } from "./host.js";
import { watchIdle } from "./idle-exit.js";
import { acquireLock } from "./instance-lock.js";
import { openDoors } from "./listen.js";
import { openLog } from "./log.js";
import { probe } from "./probe.js";
import { Problems } from "./problems.js";
import { type ProcessName, processName } from "./process-name.js";
import { loadPtyAddon } from "./pty/addon.js";
import { createServices } from "./services.js";
import { socketPath } from "./socket-path.js";
import { type Succession, takeOver } from "./take-over.js";

const PARTS = "OPENCODE_REMOTE_SSH_PARTS";
/** The launcher keeps variables of the user's under this prefix that would change the stub itself. */
const KEPT = "OPENCODE_REMOTE_SSH_KEEP_";
/** For a first stub that is just starting. */
const HEALTHY_WITHIN_MS = 10_000;
const CLOSE_WITHIN_MS = 5000;

type Environment = Record<string, string | undefined>;

async function main(): Promise<void> {
  const { env } = process;
  const home = env.HOME || "/";
  const flags = parseFlags(process.argv.slice(2), { home, parts: env[PARTS] });
  if (flags.mode === "help") return void process.stdout.write(HELP);
  if (flags.mode === "version") {
    return void process.stdout.write(`${PACKAGE_VERSION} protocol ${PROTOCOL.major}.${PROTOCOL.minor}\n`);
  }
  const parts = env[PARTS];
  if (parts === undefined)
    throw new RemoteError("start_failed", `${PARTS} does not name the directory of helper and rg`);
  if (flags.mode === "probe") {
    const found = await probe(parts);
    process.stdout.write(`${JSON.stringify(found)}\n`);
    process.exitCode = found.ok ? 0 : 1;
    return;
  }
  await run(flags, { parts, home, env });
}

async function run(
  flags: StubFlags,
  { parts, home, env }: { parts: string; home: string; env: Environment },
): Promise<void> {
  // The user's own umask stays in force, commands inherit it: whatever is ours is made with its mode spelled out.
  const umask = process.umask();
  await makeDirectories(flags);
  const token = await loadToken(flags.tokenFile);
  const lockFile = join(flags.runDirectory, "stub.lock");
  let succession: Succession | undefined;
  const replaced = flags.takeOver;
  const succeed = async (holder: ProcessName, instanceID: string) => {
    succession = await takeOver(holder, { instanceID, runDirectory: flags.runDirectory, token });
    return succession !== undefined;
  };
  let lock = await acquireLock(lockFile, replaced === undefined ? undefined : (holder) => succeed(holder, replaced));
  if (!lock.acquired) return reportRunning(flags, token, lock.holder.pid);
  const log = openLog(flags.logFile);
  const instanceID = randomBytes(16).toString("hex");
  const user = userEnvironment(env);
  const host: HostFacts = {
    hostname: hostname(),
    platform: process.platform,
    arch: process.arch,
    // A home that is not there (yet) is still where `~` leads.
    home: await realpath(home).catch(() => home),
    user: env.USER || env.LOGNAME || String(process.getuid?.() ?? ""),
    umask,
    installRoot: await realpath(flags.installRoot),
    stub: { pid: process.pid, startedAt: Date.now(), instanceID, version: PACKAGE_VERSION },
  };
  const problems = new Problems();
  closeMemory(join(parts, "pty.node"), problems);
  const helper = join(parts, "helper");
  // Tried while everything else starts; a forced level that does not work here is the end of the start.
  const levels = findLevels(helper, flags.level);
  levels.catch(() => undefined);
  const services = await createServices({
    host,
    token,
    stateDirectory: flags.stateDirectory,
    approversDirectory: flags.approvers,
    auditFile: flags.auditFile,
    tmpDirectory: join(host.installRoot, "tmp"),
    helper,
    levels,
    ripgrep: join(parts, "rg"),
    ptyAddon: join(parts, "pty.node"),
    commands: (events, askUser) =>
      new HostCommandService({
        helper,
        directory: join(flags.stateDirectory, "commands"),
        login: { shell: env.SHELL || "/bin/sh", base: user },
        events,
        askUser,
        log,
        onLoginProblem: (message) => problems.add({ code: "login_environment", message }),
        logCap: flags.logCap,
      }),
    log,
    problems,
    inherited: succession?.commands,
    askTimeoutMs: flags.askTimeout === undefined ? undefined : flags.askTimeout * 1000,
  });
  const { handover } = services;
  /** The other one listens, or else the lock is ours again. */
  const succeeded = async () => {
    const other = await readAnnounced(flags.runDirectory);
    if (
      other !== undefined &&
      other.instanceID !== instanceID &&
      processName(other.pid)?.startTime === other.startTime
    ) {
      return true;
    }
    const again = await acquireLock(lockFile);
    if (again.acquired) lock = again;
    return !again.acquired && again.holder.pid !== process.pid;
  };
  const begin = async (gone: AbortSignal) => {
    const decided = handover.freeze(gone, succeeded);
    void decided.then((over) => (over ? drain() : log.warn("the stub that was to take over did not come up")));
    return services.standStill();
  };
  const app = await buildApp({ services, logger: log, handover: { begin } });
  if (flags.level !== undefined) await levels;
  const doors = await openDoors(app, flags.listen, await chooseSocket(flags, env));
  const me = processName(process.pid);
  const stub: StubJson = {
    pid: process.pid,
    startTime: me?.startTime ?? "",
    port: doors.port,
    socket: doors.socket,
    instanceID,
    version: PACKAGE_VERSION,
    protocol: { ...PROTOCOL },
  };
  await announce(flags.runDirectory, stub);
  succession?.complete();
  log.info({ port: stub.port, socket: stub.socket, instanceID, version: stub.version }, "the stub listens");
  process.stdout.write(`${JSON.stringify({ status: "started", ...stub })}\n`);

  const ending = closeWithGrace({ delay: CLOSE_WITHIN_MS, logger: false }, async ({ signal, err }) => {
    if (err) log.fatal({ err }, "the stub ends by an error");
    else log.info({ signal }, "the stub ends; commands go on");
    await withdraw(flags.runDirectory, instanceID);
    await Promise.all([app.close(), doors.close()]);
    await services[Symbol.asyncDispose]();
    if (lock.acquired) await lock.release();
  });
  const drain = async () => {
    log.info("a newer stub has taken over; this one serves what is open, then ends");
    services.bus.publish({ type: "stub.draining", properties: { instanceID } });
    services.endWaiting();
    await handover.drained(app, () => services.presence.connections);
    ending.close();
  };
  if (flags.idleExit === undefined) return;
  const busy = () =>
    services.presence.connections > 0 || services.commands.running() > 0 || services.terminals.running > 0;
  watchIdle({ seconds: flags.idleExit, busy, onIdle: () => ending.close() });
}

/** To other processes of the same user: what loads here does it (stub/native/pty/private_master.h). */
function closeMemory(addon: string, problems: Problems): void {
  try {
    loadPtyAddon(addon);
  } catch (error) {
    problems.add({ code: "enforcement", message: `commands may read the stub's memory: ${String(error)}` });
  }
}

/** 0700, also where they were there before, as long as they are below the install root. */
async function makeDirectories(flags: StubFlags): Promise<void> {
  const { installRoot, runDirectory, stateDirectory, approvers } = flags;
  const files = [flags.logFile, flags.auditFile, flags.tokenFile, flags.socket].map((file) => dirname(file));
  for (const directory of new Set([
    installRoot,
    runDirectory,
    stateDirectory,
    approvers,
    join(installRoot, "tmp"),
    ...files,
  ])) {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    if (isWithin(directory, installRoot)) await chmod(directory, 0o700);
  }
}

function chooseSocket(flags: StubFlags, env: Environment): Promise<string> {
  return socketPath({ wanted: flags.socket, uid: process.getuid?.() ?? 0, runtimeDirectory: env.XDG_RUNTIME_DIR });
}

/** A second start finds the first: it says so and is content. Throws `stub_unhealthy` if that one does not answer. */
async function reportRunning(flags: StubFlags, token: string, pid: number): Promise<void> {
  const until = Date.now() + HEALTHY_WITHIN_MS;
  while (Date.now() < until) {
    const stub = await readAnnounced(flags.runDirectory);
    if (stub?.pid === pid && (await isHealthy(stub, token, AbortSignal.timeout(2000)))) {
      return void process.stdout.write(`${JSON.stringify({ status: "running", ...stub })}\n`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new RemoteError("stub_unhealthy", `a stub runs as process ${pid} and does not answer`, {
    hint: `see ${flags.logFile}; then kill ${pid} and start again`,
  });
}

/** As the user's login gave it, before the launcher. */
function userEnvironment(env: Environment): Environment {
  const user: Environment = {};
  for (const [name, value] of Object.entries(env)) if (name !== PARTS && !name.startsWith(KEPT)) user[name] = value;
  for (const [name, value] of Object.entries(env)) if (name.startsWith(KEPT)) user[name.slice(KEPT.length)] = value;
  return user;
}

main().catch((error: unknown) => {
  const { code, message, hint } =
    error instanceof RemoteError
      ? error
      : { code: codeOf(error) ?? "start_failed", message: String(error), hint: undefined };
  process.stderr.write(`error ${code}: ${message}\n${hint === undefined ? "" : `hint: ${hint}\n`}`);
  process.exit(code === "usage" ? 2 : 1);
});
