// The anchor: a local directory that stands for a directory of a host. OpenCode works "in" it, the overridden tools
// act on the host, and nothing of the host's project ever lies in it.
import { mkdir, readFile, realpath, rename, writeFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { type Static, Type } from "typebox";
import Value from "typebox/value";
import { codeOf, RemoteError } from "../../protocol/errors.js";
import { WorkspaceID } from "../../protocol/ids.js";
import { EnforcementWish } from "../../protocol/workspace.js";
import { anchorPaths } from "./anchor-path.js";
import { shellWrapper } from "./shell-wrapper.js";

/** `anchors/<8 hex>/anchor.json`. Holds no secrets. */
export const AnchorRecord = Type.Object({
  /** Name of the host, as the user calls it. */
  host: Type.String({ minLength: 1 }),
  /** On the host, as the user named it: absolute or `~/…`. */
  directory: Type.String({ minLength: 1 }),
  workspaceID: WorkspaceID,
  /** What its commands are to be held to, where it is not what the host's configuration says. */
  enforcement: Type.Optional(EnforcementWish),
  network: Type.Optional(Type.Boolean()),
  /** The local directory that stands for it. */
  anchor: Type.String({ minLength: 1 }),
  /** Milliseconds since the epoch. */
  created: Type.Integer(),
});
export type AnchorRecord = Static<typeof AnchorRecord>;

export interface PrepareAnchorOptions {
  /** `$XDG_STATE_HOME/opencode-remote-ssh`. */
  stateDir: string;
  host: string;
  directory: string;
  /** Used where the anchor is new; an anchor that is there keeps its own, so that approvals and sessions are found again. */
  workspaceID: string;
  enforcement?: EnforcementWish;
  network?: boolean;
  /** Runs our CLI from the shell wrapper: the OpenCode binary, or node. */
  execPath: string;
  /** Default: true unless the program is called node. */
  isBun?: boolean;
  /** Absolute path of `dist/cli.js`. */
  cliPath: string;
  /** OpenCode's project that owns the anchor; without it the anchor is no git directory. */
  projectID?: string;
  /** Loads the plugin in the anchor where the user's global configuration does not (a project's own, `open`). */
  plugin?: { specifier: string; options?: Record<string, unknown> };
}

export interface PreparedAnchor {
  /** Where OpenCode works. */
  directory: string;
  record: AnchorRecord;
}

/** Makes or refreshes the anchor of a directory of a host. Touches nothing on the host. Directories 0700, files 0600. */
export async function prepareAnchor(options: PrepareAnchorOptions): Promise<PreparedAnchor> {
  const paths = anchorPaths(options.stateDir, options.host, options.directory);
  await mkdir(paths.directory, { recursive: true, mode: 0o700 });
  const existing = await knownRecord(paths.record);
  const record: AnchorRecord = {
    host: options.host,
    directory: options.directory,
    workspaceID: existing?.workspaceID ?? options.workspaceID,
    ...wishOf(options),
    anchor: paths.directory,
    created: existing?.created ?? Date.now(),
  };
  await replace(paths.record, `${JSON.stringify(record, null, 2)}\n`, 0o600);
  const wrapper = shellWrapper({
    execPath: options.execPath,
    isBun: options.isBun ?? !/(^|[/\\])node(\.exe)?$/.test(options.execPath),
    cliPath: options.cliPath,
    record: paths.record,
    host: options.host,
  });
  await replace(paths.wrapper, wrapper, 0o700);
  await replace(join(paths.directory, "opencode.json"), configText(paths.wrapper, options.plugin), 0o600);
  if (options.projectID !== undefined) await joinProject(paths.directory, options.projectID);
  return { directory: paths.directory, record };
}

/** Where a workspace of its own is held to, to be given to the runner. */
export function wishOf({ enforcement, network }: Pick<AnchorRecord, "enforcement" | "network">) {
  return { ...(enforcement === undefined ? {} : { enforcement }), ...(network === undefined ? {} : { network }) };
}

export type FoundAnchor =
  | { kind: "outside" }
  /** `inside`: where it lies below `anchors/`. */
  | { kind: "bound"; record: AnchorRecord; inside: string }
  /** Inside `anchors/`, but whose it is cannot be told: the tools must still be overridden, and fail. */
  | { kind: "broken"; reason: string };

/** What `directory` (local) is to us. Never throws: what cannot be read is `broken`, so that nothing runs locally. */
export async function findAnchor(stateDir: string, directory: string): Promise<FoundAnchor> {
  const anchors = await canonical(join(stateDir, "anchors"));
  const inside = relative(anchors, await canonical(directory));
  if (inside.startsWith("..") || inside.startsWith(sep) || /^[A-Za-z]:/.test(inside)) return { kind: "outside" };
  const key = inside.split(sep)[0] ?? "";
  if (!/^[0-9a-f]{8}$/.test(key)) return { kind: "broken", reason: "this directory belongs to no host" };
  try {
    return { kind: "bound", record: await readRecord(join(anchors, key, "anchor.json")), inside };
  } catch (error) {
    return { kind: "broken", reason: `the anchor's record cannot be read (${(error as Error).message})` };
  }
}

/** Reads `anchor.json`; throws where it is missing or no record. */
export async function readRecord(path: string): Promise<AnchorRecord> {
  const parsed: unknown = JSON.parse(await readFile(path, "utf8"));
  if (!Value.Check(AnchorRecord, parsed)) throw new RemoteError("config_invalid", `${path} is no anchor record`);
  return parsed;
}

/** As `readRecord`; undefined where there is none, or none that makes sense: it is written anew. */
export async function knownRecord(path: string): Promise<AnchorRecord | undefined> {
  try {
    return await readRecord(path);
  } catch (error) {
    if (error instanceof SyntaxError || ["ENOENT", "config_invalid"].includes(codeOf(error) ?? "")) return undefined;
    throw error;
  }
}

function configText(shell: string, plugin: PrepareAnchorOptions["plugin"]): string {
  const config = {
    $schema: "https://opencode.ai/config.json",
    shell,
    // Snapshots would track this empty directory, formatters and language servers would run on the laptop.
    snapshot: false,
    formatter: false,
    lsp: false,
    ...(plugin ? { plugin: [plugin.options ? [plugin.specifier, plugin.options] : plugin.specifier] } : {}),
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

/** The least that git and OpenCode take for a repository, with the owning project's id where OpenCode looks for it. */
async function joinProject(directory: string, projectID: string): Promise<void> {
  const git = join(directory, ".git");
  await mkdir(join(git, "objects"), { recursive: true, mode: 0o700 });
  await mkdir(join(git, "refs", "heads"), { recursive: true, mode: 0o700 });
  await replace(join(git, "HEAD"), "ref: refs/heads/main\n", 0o600);
  await replace(join(git, "config"), "[core]\n\trepositoryformatversion = 0\n\tbare = false\n", 0o600);
  await replace(join(git, "opencode"), projectID, 0o600);
}

async function replace(path: string, text: string, mode: number): Promise<void> {
  const temporary = `${path}.${process.pid}.${crypto.randomUUID().slice(0, 8)}`;
  await writeFile(temporary, text, { mode });
  await rename(temporary, path);
}

/** The real path of the part that exists, the rest as it is. */
async function canonical(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    const parent = join(path, "..");
    return parent === path ? path : join(await canonical(parent), relative(parent, path));
  }
}
