// hosts.json: what we remember of each host, so that a warm connect runs nothing there. Holds tokens: 0600.
import { readFile } from "node:fs/promises";
import lockfile from "proper-lockfile";
import { type Static, Type } from "typebox";
import { Value } from "typebox/value";
import writeFileAtomic from "write-file-atomic";
import { codeOf, fromSystem } from "../../protocol/errors.js";
import { EnforcementLevel } from "../../protocol/health.js";
import { EnforcementWish } from "../../protocol/workspace.js";
import { setAside } from "./set-aside.js";
import { ensureStateDirectory, type StatePaths, unwritable } from "./state-directory.js";

/** The stub of a host, as it was last seen to work. */
export const KnownStub = Type.Object({
  /** `user@host:port`: the same name may lead to another machine tomorrow. */
  destination: Type.String(),
  /** As configured then. */
  installRoot: Type.String(),
  /** Absolute. */
  root: Type.String(),
  token: Type.String(),
  instanceID: Type.String(),
  version: Type.String(),
  pid: Type.Integer(),
  port: Type.Integer(),
  socket: Type.String(),
  /** Hash of the file that this installation last saw fit for it; another one in the bundle means: look again. */
  sha256: Type.String(),
  /** How it was reached. */
  way: Type.Union([Type.Literal("socket"), Type.Literal("tcp"), Type.Literal("attach")]),
});
export type KnownStub = Static<typeof KnownStub>;

const KnownWish = Type.Object({ enforcement: EnforcementWish, network: Type.Boolean() });

export const KnownEnforcement = Type.Object({ level: EnforcementLevel, landlockAbi: Type.Integer() });
export type KnownEnforcement = Static<typeof KnownEnforcement>;

export const KnownHost = Type.Object({
  /** Directory last worked in, as the user named it. */
  lastDirectory: Type.Optional(Type.String()),
  /** Times that it was connected to. */
  uses: Type.Integer({ minimum: 0 }),
  /** Milliseconds since the epoch. */
  lastUsed: Type.Optional(Type.Integer()),
  stub: Type.Optional(KnownStub),
  /** What workspaces of it were told that differs from the usual, by their ids. */
  wishes: Type.Optional(Type.Record(Type.String(), KnownWish)),
  /** How commands were held when it was last seen. */
  enforcement: Type.Optional(KnownEnforcement),
  /** Key ids of ours that are registered in this install root. */
  approvers: Type.Array(Type.String()),
});
export type KnownHost = Static<typeof KnownHost>;

const HostsJson = Type.Object({ version: Type.Literal(1), hosts: Type.Record(Type.String(), KnownHost) });
type HostsJson = Static<typeof HostsJson>;

/** Several processes may use it at once: reads see a whole file, changes are made one after the other. */
export class HostsFile {
  readonly #paths: StatePaths;
  readonly #report: ((text: string) => void) | undefined;

  /** `report` hears of a file that did not parse and was set aside. */
  constructor(paths: StatePaths, report?: (text: string) => void) {
    this.#paths = paths;
    this.#report = report;
  }

  async get(name: string): Promise<KnownHost | undefined> {
    const { hosts } = await this.#read();
    return Object.hasOwn(hosts, name) ? hosts[name] : undefined;
  }

  /** Names and what is known of them. */
  async all(): Promise<Record<string, KnownHost>> {
    return (await this.#read()).hosts;
  }

  /** Replaces what is known of one host by the function's answer; undefined forgets it. */
  async update(name: string, change: (known: KnownHost) => KnownHost | undefined): Promise<void> {
    await ensureStateDirectory(this.#paths);
    try {
      await this.#update(name, change);
    } catch (error) {
      throw unwritable(error, this.#paths.hostsFile);
    }
  }

  async #update(name: string, change: (known: KnownHost) => KnownHost | undefined): Promise<void> {
    const file = this.#paths.hostsFile;
    const release = await lockfile.lock(file, {
      realpath: false,
      stale: 10_000,
      retries: { retries: 50, factor: 1.2, minTimeout: 10, maxTimeout: 250, randomize: true },
      onCompromised: (error) => this.#report?.(`${file}: its lock was lost (${error.message})`),
    });
    try {
      const json = await this.#read(true);
      const old = Object.hasOwn(json.hosts, name) ? json.hosts[name] : undefined;
      const changed = change(old ?? { uses: 0, approvers: [] });
      const hosts = Object.fromEntries(Object.entries(json.hosts).filter(([each]) => each !== name));
      if (changed !== undefined) Object.defineProperty(hosts, name, { value: changed, enumerable: true });
      await writeFileAtomic(file, `${JSON.stringify({ version: 1, hosts }, null, 2)}\n`, { mode: 0o600 });
    } finally {
      await release();
    }
  }

  async #read(locked = false): Promise<HostsJson> {
    const file = this.#paths.hostsFile;
    let text: string;
    try {
      text = await readFile(file, "utf8");
    } catch (error) {
      if (codeOf(error) === "ENOENT") return { version: 1, hosts: {} };
      throw fromSystem(error, `${file} cannot be read`);
    }
    const parsed = parse(text);
    if (parsed !== undefined) return parsed;
    // Only who holds the lock may move it: a reader could take away the file that was written since.
    if (locked) this.#report?.(`${file} does not parse; it is kept as ${await setAside(file)}`);
    return { version: 1, hosts: {} };
  }
}

function parse(text: string): HostsJson | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Value.Check(HostsJson, value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
