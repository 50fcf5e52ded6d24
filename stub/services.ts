// The parts of a running stub, put together once. They know nothing of HTTP; the routes know nothing of files and processes.
import { mkdir, readdir, realpath, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Check } from "typebox/value";
import { WorkspaceID } from "../protocol/ids.js";
import { Admission } from "./admission.js";
import { Approvers } from "./auth/approvers.js";
import { Bearer } from "./auth/token.js";
import type { AskUser } from "./commands/held-asks.js";
import type { CommandEvents, CommandService } from "./commands/types.js";
import { EnforcementService } from "./confinement/enforcement.js";
import type { Granted } from "./confinement/entries.js";
import type { Levels } from "./confinement/levels.js";
import { Policies } from "./confinement/policy.js";
import { PrivateDirectories } from "./confinement/private-directories.js";
import { Toolchains } from "./confinement/toolchains.js";
import { EventBus } from "./events/bus.js";
import { EventClients } from "./events/clients.js";
import { Temporaries } from "./files/temporaries.js";
import { Handover } from "./handover.js";
import type { HostFacts } from "./host.js";
import { ObservedCommands } from "./observed-commands.js";
import { ASK_TIMEOUT_MS, denyWhenAbsent } from "./permission/absence.js";
import { AfterRun } from "./permission/after-run.js";
import { Approvals, KeptApprovals } from "./permission/approvals.js";
import { Asks } from "./permission/asks.js";
import { KeptAsk } from "./permission/asks-on-disk.js";
import { BeforeRun } from "./permission/before-run.js";
import { Gate } from "./permission/gate.js";
import { liveAsks } from "./permission/live-asks.js";
import { Rejections } from "./permission/rejections.js";
import { Reruns } from "./permission/reruns.js";
import type { Problems } from "./problems.js";
import { startupFiles } from "./pty/held-terminal.js";
import { Terminals } from "./pty/terminals.js";
import { Search } from "./search/search.js";
import { KeptSession, Sessions } from "./sessions.js";
import { Shell } from "./shell/shell.js";
import { AuditLog } from "./state/audit.js";
import { roomProblems } from "./state/room.js";
import { JsonStore, type StoreLog } from "./state/store.js";
import { Undo } from "./undo/undo.js";
import { Vcs } from "./vcs/vcs.js";
import { KeptWorkspace, Workspaces } from "./workspaces.js";

/** For the commands of a deleted workspace: SIGTERM, 2 s, SIGKILL, and some more. */
const CONFIRMED_WITHIN_MS = 8000;
/** Of a directory that nobody is known for. */
const YOUNG_MS = 60_000;

export interface ServicesOptions {
  host: HostFacts;
  token: string;
  /** state/: workspaces, sessions, approvals are below it. */
  stateDirectory: string;
  approversDirectory: string;
  auditFile: string;
  /** Private temporary directories of commands; canonical, below the install root. */
  tmpDirectory: string;
  /** Path of the helper binary. */
  helper: string;
  /** What this host can enforce; nothing is run before it is known. */
  levels: Promise<Levels>;
  /** Path of the ripgrep that searches. */
  ripgrep: string;
  /** Path of node-pty's native part, `pty.node`. */
  ptyAddon: string;
  /** Makes the service that runs commands; told where its events and its asks go. */
  commands(events: CommandEvents, askUser: AskUser): CommandService;
  log: StoreLog;
  /** Filled by the parts that find something; `commands` may have put something in, too. */
  problems: Problems;
  heartbeatMs?: number | undefined;
  /** Milliseconds without any client after which pending asks are denied. */
  askTimeoutMs?: number | undefined;
  /** Commands of the stub before, whose ends are not in the audit log yet. */
  inherited?: string[] | undefined;
}

/** Sockets that are open now; the server counts, others look. */
export interface Presence {
  connections: number;
}

export interface Services extends AsyncDisposable {
  handover: Handover;
  host: HostFacts;
  problems: Problems;
  presence: Presence;
  bearer: Bearer;
  approvers: Approvers;
  audit: AuditLog;
  bus: EventBus;
  eventClients: EventClients;
  approvals: Approvals;
  asks: Asks;
  gate: Gate;
  workspaces: Workspaces;
  sessions: Sessions;
  commands: CommandService;
  admission: Admission;
  enforcement: EnforcementService;
  afterRun: AfterRun;
  shell: Shell;
  search: Search;
  temporaries: Temporaries;
  terminals: Terminals;
  vcs: Vcs;
  undo: Undo;
  /** Where another stub has asked for it: resolves when no save is under way, with the commands whose ends are not recorded yet. */
  standStill(): Promise<string[]>;
  /** Ends event streams and requests that wait for an answer; the asks go on. */
  endWaiting(): void;
  /** That, and the clients of terminals, so that the server can close. Commands and asks go on. */
  drain(): void;
}

/** Reads the state directory (made if missing). Throws what reading and making files throw. */
export async function createServices(options: ServicesOptions): Promise<Services> {
  const { host, stateDirectory, log, problems } = options;
  const handover = new Handover();
  const context = { log, problems, mayChange: () => handover.pass() };
  for (const directory of [stateDirectory, options.approversDirectory, options.tmpDirectory]) {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  }
  const kept = {
    workspaces: await JsonStore.open(join(stateDirectory, "workspaces"), KeptWorkspace, context),
    sessions: await JsonStore.open(join(stateDirectory, "sessions"), KeptSession, context),
    approvals: await JsonStore.open(join(stateDirectory, "approvals"), KeptApprovals, context),
    asks: await JsonStore.open(join(stateDirectory, "asks"), KeptAsk, context),
  };
  problems.watch(() => roomProblems(stateDirectory));
  const audit = new AuditLog(options.auditFile);
  const bus = new EventBus();
  const presence: Presence = { connections: 0 };
  const keys = join(host.home, ".ssh");
  const masked = [...new Set([host.installRoot, keys, await realpath(keys).catch(() => keys)])];
  const own = (workspaceID: string) => join(options.tmpDirectory, workspaceID);
  const approvals = new Approvals(kept.approvals, { masked, own });
  const privateDirectories = new PrivateDirectories({ directory: options.tmpDirectory, helper: options.helper });
  const policies = new Policies({ approvals, host, masked, privateDirectories, configHome: () => configHome });
  const enforcement = new EnforcementService({
    levels: options.levels,
    policies,
    host,
    helper: options.helper,
    askWaitMs: options.askTimeoutMs ?? ASK_TIMEOUT_MS,
  });
  options.levels.then(
    ({ problem }) => problem !== undefined && problems.add({ code: "enforcement", message: problem }),
    () => undefined, // told by the entry, which does not go on
  );
  const workspaces = new Workspaces({ store: kept.workspaces, approvals, audit, bus, host, enforcement, log });
  const asks = new Asks({ bus, store: kept.asks, audit, workspace: (id) => workspaces.find(id), log });
  const toolchains = new Toolchains(host);
  const guarded = { ...host, toolchainOf: (path: string) => toolchains.rootOf(path) };
  const gate = new Gate({ approvals, asks, audit, guarded });
  let configHome: string | undefined;
  const askUser = liveAsks({ asks, approvals, guarded, workspace: (id) => workspaces.find(id) });
  const commands = new ObservedCommands(options.commands(eventsOf(bus), askUser), audit, log, options.inherited);
  commands.loginEnvironment().then(
    (login) => {
      configHome = login.XDG_CONFIG_HOME;
      toolchains.find(login.PATH ?? "");
    },
    (error: unknown) => {
      log.warn({ err: error }, "where git keeps its settings, and PATH its programs, is not known");
      toolchains.find("");
    },
  );
  const sessions = new Sessions({ store: kept.sessions, workspaces, commands, bus });
  workspaces.onDelete(async ({ id }) => {
    await asks.withdrawAll(({ ask }) => ask.workspaceID === id, "the workspace was deleted");
    await endCommands(commands, id, log);
    policies.forget(id);
    await privateDirectories.remove(id);
  });
  const undo = new Undo({ directory: join(stateDirectory, "undo"), audit, log, mayChange: context.mayChange });
  sessions.onDelete((id) => undo.drop(id));
  await dropOrphans(kept, log);
  void undo
    .dropOrphans(
      (id) => kept.sessions.get(id) !== undefined || kept.sessions.isNewer(id) || kept.sessions.wasSetAside(id),
    )
    .catch((error: unknown) => log.warn({ err: error }, "what was kept of sessions that are gone may be left"));
  void endOrphans(kept, commands).catch((error: unknown) =>
    log.warn({ err: error }, "commands without a workspace go on"),
  );
  const terminals = new Terminals({
    addon: options.ptyAddon,
    audit,
    bus,
    loginEnvironment: (signal) => commands.loginEnvironment(signal),
    hold: async (workspace, login, granted) => {
      await enforcement.ready;
      return enforcement.holdTerminal(workspace, login, [...granted, ...startupFiles(host.home)]);
    },
    folder: join(stateDirectory, "terminals"),
    exists: (workspaceID) => workspaces.find(workspaceID) !== undefined,
  });
  workspaces.onDelete(({ id }) => terminals.removeAll(id));
  const temporaries = await Temporaries.open(join(stateDirectory, "writing"));
  // A directory may be on a file system that does not answer: the start does not wait for it.
  void temporaries.sweep().catch((error: unknown) => log.warn({ err: error }, "half-written files may be left"));
  await dropTemporary(options.tmpDirectory, commands);
  void privateDirectories
    .sweep((id) => workspaces.find(id) !== undefined || kept.workspaces.isNewer(id) || kept.workspaces.wasSetAside(id))
    .catch((error: unknown) => log.warn({ err: error }, "private directories of no workspace may be left"));
  const beforeRun = new BeforeRun({
    guarded,
    toolchains,
    isBase: (path, access) => policies.isBase(path, access),
    privateTmp: (workspaceID) => privateDirectories.of(workspaceID).path,
  });
  const reruns = new Reruns();
  const admission = new Admission({
    sessions,
    approvals,
    gate,
    enforcement,
    beforeRun,
    reruns,
    host,
    tmpDirectory: options.tmpDirectory,
  });
  commands.admittedBy(admission);
  const afterRun = new AfterRun({ beforeRun, gate, reruns, rejections: new Rejections(asks) });
  const eventClients = new EventClients(bus, {
    instance: host.stub,
    workspaceOf: (id) => workspaces.findLately(id),
    heartbeatMs: options.heartbeatMs,
  });
  const absence = denyWhenAbsent({
    asks,
    connected: () => presence.connections > 0,
    limitMs: options.askTimeoutMs,
    log,
  });
  const endWaiting = () => {
    absence[Symbol.dispose]();
    asks.end();
    eventClients.close();
  };
  const drain = () => {
    endWaiting();
    terminals.drain();
  };
  // A terminal that nobody is connected to cannot be reached any more: new connections lead to the new stub.
  handover.holdWhile(() => terminals.connected > 0);
  const standStill = async () => {
    while (undo.isBusy || Object.values(kept).some((store) => store.isBusy)) await pause(5);
    return commands.handOver(() => handover.isOver());
  };
  return {
    handover,
    standStill,
    host,
    problems,
    presence,
    bearer: new Bearer(options.token),
    approvers: new Approvers({ directory: options.approversDirectory, instanceID: host.stub.instanceID }),
    audit,
    bus,
    eventClients,
    approvals,
    asks,
    gate,
    workspaces,
    sessions,
    commands,
    admission,
    enforcement,
    afterRun,
    shell: new Shell({ admission, commands, sessions, bus }),
    search: new Search({
      ripgrep: options.ripgrep,
      hold: (workspace, policy) => enforcement.holdProgram(workspace, policy),
    }),
    terminals,
    vcs: new Vcs({
      loginEnvironment: (signal) => commands.loginEnvironment(signal),
      hold: (workspace, gitDirectories) => enforcement.holdProgram(workspace, undefined, gitDirectories.map(readable)),
    }),
    temporaries,
    undo,
    endWaiting,
    drain,
    async [Symbol.asyncDispose]() {
      drain();
      await terminals.close();
      await commands.close();
      audit.close();
    },
  };
}

function readable(path: string): Granted {
  return { path, access: "read", kind: "directory" };
}

function eventsOf(bus: EventBus): CommandEvents {
  return {
    emit: (type, properties) => bus.publish({ type, properties, workspaceID: properties.workspaceID }),
    listening: () => bus.size > 0,
  };
}

/** Of one workspace; resolves when their helpers have confirmed that nothing of them is left, or after a while. */
async function endCommands(commands: CommandService, workspaceID: string, log: StoreLog): Promise<void> {
  await commands.adopted;
  const running = commands.list({ workspaceID }).filter((command) => !command.isSettled);
  for (const command of running) command.cancel("abort");
  const settled = Promise.all(running.map((command) => command.settled)).then(() => true);
  const inTime = await Promise.race([settled, pause(CONFIRMED_WITHIN_MS, false, { ref: false })]);
  if (!inTime)
    log.warn({ workspaceID }, "commands of a deleted workspace were cancelled and are not confirmed dead yet");
}

interface KeptState {
  workspaces: JsonStore<typeof KeptWorkspace>;
  sessions: JsonStore<typeof KeptSession>;
  approvals: JsonStore<typeof KeptApprovals>;
}

/** What a kill in the middle of a delete left behind; but what belongs to a workspace that cannot be read is not thrown away. */
async function dropOrphans({ workspaces, sessions, approvals }: KeptState, log: StoreLog): Promise<void> {
  const orphaned = { sessions: 0, approvals: 0 };
  const drop = async (store: KeptState["sessions" | "approvals"], id: string, workspaceID: string) => {
    if (workspaces.get(workspaceID) !== undefined || workspaces.isNewer(workspaceID)) return 0;
    if (workspaces.wasSetAside(workspaceID)) await store.setAside(id, `its workspace ${workspaceID} was set aside`);
    else await store.delete(id);
    return 1;
  };
  for (const { id, workspaceID } of sessions.values()) orphaned.sessions += await drop(sessions, id, workspaceID);
  for (const id of approvals.ids()) orphaned.approvals += await drop(approvals, id, id);
  if (orphaned.sessions + orphaned.approvals > 0) log.warn(orphaned, "state without its workspace is out of use");
}

/** Commands that went on while their workspace was deleted, where a kill came in between. */
async function endOrphans({ workspaces }: KeptState, commands: CommandService): Promise<void> {
  await commands.adopted;
  for (const command of commands.list()) {
    const { workspaceID } = command.record();
    const isKnown = workspaces.get(workspaceID) !== undefined || workspaces.isNewer(workspaceID);
    if (!isKnown && !workspaces.wasSetAside(workspaceID) && !command.isSettled) command.cancel("abort");
  }
}

/** Temporary directories of commands that are no more; a young one may be of a command that an older stub is just starting. */
async function dropTemporary(directory: string, commands: CommandService): Promise<void> {
  for (const name of await readdir(directory)) {
    const command = commands.get(name);
    if (Check(WorkspaceID, name)) continue; // of a workspace: PrivateDirectories
    const path = join(directory, name);
    const isGone = command === undefined && Date.now() - (await stat(path)).mtimeMs > YOUNG_MS;
    if (isGone || command?.isSettled) await rm(path, { recursive: true, force: true });
  }
}
