// All terminals of this stub. They live as long as it does: a stub that is killed takes them along (the kernel hangs them up).
import { basename } from "node:path";
import { codeOf, RemoteError } from "../../protocol/errors.js";
import { newID } from "../../protocol/ids.js";
import { type Pty, PtyClose, type PtyCreate, type PtyUpdate } from "../../protocol/pty.js";
import type { Workspace } from "../../protocol/workspace.js";
import type { Granted } from "../confinement/entries.js";
import type { EventBus } from "../events/bus.js";
import { type FileContext, pinToRead } from "../files/access.js";
import type { Pin } from "../files/pin.js";
import type { AuditLog } from "../state/audit.js";
import { loadPtyAddon } from "./addon.js";
import { type HeldTerminal, heldProgram } from "./held-terminal.js";
import { Terminal } from "./terminal.js";
import { TerminalClient } from "./terminal-client.js";

/** Of all workspaces. Each keeps 2 MiB of text. */
const RUNNING_LIMIT = 32;
/** Ended terminals that are kept for whoever comes back, as in OpenCode… */
const ENDED_LIMIT = 25;
/** …but no longer than this, in milliseconds. */
const ENDED_MS = 15 * 60_000;
const CLIENT_LIMIT = 16;
/** When the stub itself ends, which has 5 s for everything. */
const LAST_GRACE_MS = 500;

/** Shells that OpenCode starts as login shells. */
const LOGIN_SHELLS = new Set(["bash", "dash", "fish", "ksh", "sh", "zsh", "csh", "tcsh"]);

export interface TerminalsOptions {
  /** Path of `pty.node`. */
  addon: string;
  audit: AuditLog;
  bus: EventBus;
  loginEnvironment(signal?: AbortSignal): Promise<Record<string, string>>;
  /** What holds a terminal of this workspace, with what this request was granted once. Throws `enforcement_unavailable`. */
  hold(workspace: Workspace, login: Record<string, string>, granted: Granted[]): Promise<HeldTerminal>;
  /** Ours, for what the helper reads once. */
  folder: string;
  /** Whether the workspace was not deleted meanwhile. */
  exists(workspaceID: string): boolean;
}

type Client = ConstructorParameters<typeof TerminalClient>[0];

export class Terminals {
  readonly #options: TerminalsOptions;
  readonly #all = new Map<string, Terminal>();
  /** That are being started. */
  #starting = 0;

  constructor(options: TerminalsOptions) {
    this.#options = options;
  }

  get running(): number {
    return [...this.#all.values()].filter(({ running }) => running).length + this.#starting;
  }

  /** Terminals that run and that somebody sees. */
  get connected(): number {
    return [...this.#all.values()].filter(({ running, clients }) => running && clients > 0).length;
  }

  /** Those that run, as OpenCode lists them. */
  list(workspace: Workspace): Pty[] {
    const own = [...this.#all.values()].filter(({ workspaceID, running }) => running && workspaceID === workspace.id);
    return own.map(({ info }) => info);
  }

  /** Throws `pty_unknown`. */
  get(workspace: Workspace, id: string): Terminal {
    const terminal = this.#all.get(id);
    if (terminal?.workspaceID === workspace.id) return terminal;
    throw new RemoteError("pty_unknown", `no terminal ${id}`);
  }

  /** Throws `pty_limit`, `cwd_missing`, ENOTDIR, what asking throws, `spawn_failed`. */
  async create(context: FileContext, request: PtyCreate): Promise<Pty> {
    if (this.running >= RUNNING_LIMIT) throw new RemoteError("pty_limit", `${RUNNING_LIMIT} terminals are open`);
    const { workspace, signal } = context.pass.asker;
    this.#starting += 1;
    let login: Record<string, string>;
    let directory: Pin;
    const { command, args = [] } = request;
    try {
      login = await this.#options.loginEnvironment(signal);
      directory = await directoryOf(context, request.cwd, command ?? "the login shell");
    } finally {
      this.#starting -= 1;
    }
    await using _pinned = directory;
    const held = await this.#options.hold(workspace, login, context.pass.grants);
    if (!this.#options.exists(workspace.id)) throw new RemoteError("workspace_unknown", `no workspace ${workspace.id}`);
    const file = command ?? login.SHELL ?? "/bin/sh";
    const words = LOGIN_SHELLS.has(basename(file)) ? [...args, "-l"] : [...args];
    return this.#start(context, { file, args: words, directory, login, request, held });
  }

  update(workspace: Workspace, id: string, { title, size }: PtyUpdate): Pty {
    const terminal = this.get(workspace, id);
    if (title !== undefined && title !== "") terminal.rename(title);
    if (size !== undefined) terminal.resize(size);
    this.#publish("pty.updated", { info: terminal.info }, workspace.id);
    return terminal.info;
  }

  /** When it resolves its processes are gone; those that could not be ended are in the audit log. */
  async remove(workspace: Workspace, id: string): Promise<void> {
    await this.#end(this.get(workspace, id));
  }

  async removeAll(workspaceID: string): Promise<void> {
    const own = [...this.#all.values()].filter((terminal) => terminal.workspaceID === workspaceID);
    await Promise.all(own.map((terminal) => this.#end(terminal)));
  }

  /** Throws `pty_unknown`, `pty_limit`. */
  checkRoom(workspace: Workspace, id: string): void {
    if (this.get(workspace, id).clients >= CLIENT_LIMIT) throw new RemoteError("pty_limit", `${CLIENT_LIMIT} clients`);
  }

  /** `cursor` as in the query; what is no such number counts as 0. */
  connect(workspace: Workspace, id: string, socket: Client, cursor: string | undefined): void {
    const wanted = Number(cursor ?? 0);
    const client = new TerminalClient(socket);
    const terminal = this.#all.get(id);
    if (terminal?.workspaceID !== workspace.id) client.end(PtyClose.unknown, "session not found");
    else terminal.attach(client, Number.isSafeInteger(wanted) && wanted >= -1 ? wanted : 0);
  }

  /** Clients go; terminals go on. */
  drain(): void {
    for (const terminal of this.#all.values()) terminal.dismiss(PtyClose.goingAway, "the stub is ending");
  }

  async close(): Promise<void> {
    await Promise.all([...this.#all.values()].map((terminal) => terminal.end(LAST_GRACE_MS)));
  }

  #start({ pass }: FileContext, { file, args, directory, login, request, held }: Prepared): Pty {
    const { workspace } = pass.asker;
    const id = newID("pty");
    const cwd = directory.real;
    const audited = { approver: workspace.approver, workspaceID: workspace.id, ptyID: id };
    this.#options.audit.write({
      event: "terminal",
      ...audited,
      command: [file, ...args],
      cwd,
      decision: pass.decision,
    });
    const { folder } = this.#options;
    const program = heldProgram(held, { id, file, args, cwd, folder });
    const terminal = new Terminal({
      addon: loadPtyAddon(this.#options.addon),
      file: program.file,
      args: program.args,
      env: { ...login, ...held.variables, ...request.env, TERM: "xterm-256color", OPENCODE_TERMINAL: "1", PWD: cwd },
      // The pinned directory itself, whatever its name leads to by now.
      cwd: directory.path,
      size: request.size ?? { cols: 80, rows: 24 },
      info: {
        id,
        title: request.title || `Terminal ${id.slice(-4)}`,
        command: file,
        args,
        cwd,
        enforcement: held.enforcement,
      },
      workspaceID: workspace.id,
      onExit: ({ info, workspaceID }) => {
        program.ended();
        this.#options.audit.write({ event: "exit", ...audited, exit: info.exitCode });
        this.#publish("pty.exited", { id, exitCode: info.exitCode }, workspaceID);
        this.#forgetOldest();
        setTimeout(() => this.#forget(id), ENDED_MS).unref();
      },
    });
    this.#all.set(id, terminal);
    this.#publish("pty.created", { info: terminal.info }, workspace.id);
    return terminal.info;
  }

  async #end(terminal: Terminal): Promise<void> {
    const { id } = terminal.info;
    const survivors = await terminal.end();
    if (survivors.length > 0) {
      const { workspaceID } = terminal;
      this.#options.audit.write({ event: "exit", workspaceID, ptyID: id, state: `survivors ${survivors.join(" ")}` });
    }
    terminal.dismiss(PtyClose.exited, "removed");
    this.#forget(id);
  }

  #forget(id: string): void {
    const terminal = this.#all.get(id);
    if (terminal === undefined) return;
    this.#all.delete(id);
    this.#publish("pty.deleted", { id }, terminal.workspaceID);
  }

  #forgetOldest(): void {
    const ended = [...this.#all.values()].filter(({ running }) => !running);
    for (const { info } of ended.slice(0, Math.max(0, ended.length - ENDED_LIMIT))) this.#forget(info.id);
  }

  #publish(type: string, properties: unknown, workspaceID: string): void {
    this.#options.bus.publish({ type, properties, workspaceID });
  }
}

interface Prepared {
  file: string;
  args: string[];
  directory: Pin;
  login: Record<string, string>;
  request: PtyCreate;
  held: HeldTerminal;
}

/** To stand somewhere is to read it, as for a command. */
async function directoryOf(context: FileContext, named: string | undefined, what: string): Promise<Pin> {
  const { directory, home } = context.base;
  const asked = named ?? directory ?? home;
  try {
    const pinned = await pinToRead(context, asked, `open a terminal: ${what}`);
    if (pinned.kind === "directory") return pinned;
    await pinned[Symbol.asyncDispose]();
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
    throw new RemoteError("cwd_missing", `no such directory: ${asked}`, { cause: error, details: { path: asked } });
  }
  throw new RemoteError("ENOTDIR", `not a directory: ${asked}`);
}
