// Files of this machine with the semantics of a host's: tags, conflicts, atomic writes, node codes.
import { randomBytes } from "node:crypto";
import type { BigIntStats } from "node:fs";
import { lstat, mkdir, open, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { codeOf, fromSystem, RemoteError } from "../../../protocol/errors.js";
import type { FileKind } from "../../../protocol/file.js";
import type { ReadFileResult, RunnerEntry, RunnerStat, WrittenFile } from "../runner.js";

/** All paths here are canonical and allowed. */
export async function statFile(path: string): Promise<RunnerStat> {
  const found = await node(path, () => stat(path, { bigint: true }));
  const type = kindOf(found);
  const base = {
    path,
    type,
    size: Number(found.size),
    mode: Number(found.mode & 0o7777n),
    mtime: Number(found.mtimeMs),
  };
  return type === "file" ? { ...base, tag: tagOf(found) } : base;
}

export async function readBytes(path: string, range: { offset?: number; length?: number }): Promise<ReadFileResult> {
  const { tag, size, type } = await statFile(path);
  if (type === "directory") throw new RemoteError("EISDIR", `EISDIR: ${path}`);
  const from = Math.min(range.offset ?? 0, size);
  const data = new Uint8Array(Math.min(range.length ?? size, size - from));
  await node(path, async () => {
    const file = await open(path, "r");
    try {
      await file.read(data, 0, data.length, from);
    } finally {
      await file.close();
    }
  });
  return { path, data, size, tag: tag ?? "" };
}

export async function writeBytes(
  path: string,
  data: Uint8Array,
  options: { ifMatch?: string; parents?: boolean },
): Promise<WrittenFile> {
  const before = await statOrNothing(path);
  if (before?.type === "directory") throw new RemoteError("EISDIR", `EISDIR: ${path}`);
  const current = before === undefined ? "absent" : before.tag;
  if (options.ifMatch !== undefined && options.ifMatch !== current) {
    throw new RemoteError("conflict", `${path} changed since it was read`, { details: { tag: before?.tag ?? null } });
  }
  await node(path, async () => {
    if (options.parents) await mkdir(dirname(path), { recursive: true });
    const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString("hex")}`);
    try {
      await writeFile(temporary, data, { mode: before?.mode ?? 0o666, flag: "wx" });
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  });
  const after = await statFile(path);
  return { path, tag: after.tag ?? "", size: after.size, existed: before !== undefined };
}

/** Directories first, then by name. */
export async function listDirectory(path: string): Promise<RunnerEntry[]> {
  const found = await node(path, () => readdir(path, { withFileTypes: true }));
  const entries = found.map((entry): RunnerEntry => {
    const type = kindOf(entry);
    return { name: entry.name, path: join(path, entry.name), type, ignored: false };
  });
  const rank = (entry: RunnerEntry) => (entry.type === "directory" ? 0 : 1);
  return entries.sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
}

export async function makeDirectory(path: string, parents: boolean): Promise<void> {
  await node(path, () => mkdir(path, { recursive: parents }));
}

export async function moveFile(from: string, to: string, options: { overwrite?: boolean; parents?: boolean }) {
  await node(from, () => lstat(from));
  if (!options.overwrite && (await statOrNothing(to)) !== undefined) throw new RemoteError("EEXIST", `EEXIST: ${to}`);
  await node(to, async () => {
    if (options.parents) await mkdir(dirname(to), { recursive: true });
    await rename(from, to);
  });
}

export async function removeFile(path: string, recursive: boolean): Promise<void> {
  await node(path, async () => {
    const found = await lstat(path);
    if (found.isDirectory() && !recursive) throw new RemoteError("EISDIR", `EISDIR: ${path}`);
    await rm(path, { recursive });
  });
}

export async function statOrNothing(path: string): Promise<RunnerStat | undefined> {
  try {
    return await statFile(path);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

function tagOf(found: BigIntStats): string {
  return `${found.ino.toString(36)}-${found.mtimeNs.toString(36)}-${found.size.toString(36)}`;
}

function kindOf(found: { isFile(): boolean; isDirectory(): boolean; isSymbolicLink(): boolean }): FileKind {
  if (found.isFile()) return "file";
  if (found.isDirectory()) return "directory";
  return found.isSymbolicLink() ? "symlink" : "other";
}

async function node<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fromSystem(error, `${codeOf(error) ?? "EIO"}: ${path}`);
  }
}
