// What is at a path: compared with what a tool left there, and kept to be put back.
import { constants } from "node:fs";
import { lstat, open, readlink } from "node:fs/promises";
import { Type } from "typebox";
import { codeOf, ignoreMissing } from "../../protocol/errors.js";
import type { FileState } from "../files/change-recorder.js";
import { readTag } from "../files/tag.js";

/** As it is saved. */
export const KeptState = Type.Union([
  Type.Object({ type: Type.Literal("absent") }),
  Type.Object({ type: Type.Literal("link"), target: Type.String() }),
  Type.Object({
    type: Type.Literal("file"),
    tag: Type.String(),
    mode: Type.Integer(),
    uid: Type.Integer(),
    gid: Type.Integer(),
  }),
  Type.Object({ type: Type.Literal("other") }),
]);

export interface Looked {
  state: FileState;
  /** Of a file that is not too large to be kept. */
  content?: Buffer;
}

/** Follows no link and waits for nobody. What may not be read is `other`. */
export async function lookAt(path: string): Promise<Looked> {
  const found = await lstat(path).catch(ignoreMissing);
  if (found === undefined) return { state: { type: "absent" } };
  if (found.isSymbolicLink()) return { state: { type: "link", target: await readlink(path) } };
  if (!found.isFile()) return { state: { type: "other" } };
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const { tag, content } = await readTag(file);
    const { mode, uid, gid } = await file.stat();
    return { state: { type: "file", tag, mode: mode & 0o7777, uid, gid }, content };
  } catch (error) {
    if (codeOf(error) === "ENOENT") return { state: { type: "absent" } };
    if (codeOf(error) === undefined) throw error;
    return { state: { type: "other" } };
  }
}

/** The same content; who owns it and who may read it does not count. */
export function isSame(one: FileState, other: FileState): boolean {
  if (one.type === "file" && other.type === "file") return one.tag === other.tag;
  if (one.type === "link" && other.type === "link") return one.target === other.target;
  return one.type === "absent" && other.type === "absent";
}
