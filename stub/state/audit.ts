// Who ran and approved what: one JSON line per event, appended before the thing happens, 0600, rotated at 5 MB.
import { closeSync, fstatSync, openSync, renameSync, writeSync } from "node:fs";
import { open } from "node:fs/promises";
import { codeOf, fromSystem } from "../../protocol/errors.js";
import type { Ask, AskedPath } from "../../protocol/permission.js";

const ROTATE_BYTES = 5 * 1024 * 1024;

export interface AuditLine {
  event: "command" | "terminal" | "exit" | "ask" | "reply" | "approval" | "workspace" | "session" | "approver";
  /** Key id of the approver whose secret came with the request. */
  approver?: string | undefined;
  workspaceID?: string | undefined;
  sessionID?: string | undefined;
  commandID?: string | undefined;
  ptyID?: string | undefined;
  permissionID?: string | undefined;
  /** As text, or as a list of arguments. */
  command?: string | string[] | undefined;
  cwd?: string | undefined;
  path?: string | undefined;
  access?: string | undefined;
  /** An ask for several paths: all of them. */
  paths?: AskedPath[] | undefined;
  permission?: string | undefined;
  reason?: string | undefined;
  decision?: string | undefined;
  message?: string | undefined;
  exit?: number | null | undefined;
  signal?: string | null | undefined;
  state?: string | undefined;
}

/** What an ask and its answer have in common. */
export function auditOf(ask: Ask): Omit<AuditLine, "event"> {
  const { id, workspaceID, sessionID, permission, path, access, paths, command } = ask;
  const several = paths.length > 1 ? { paths } : {};
  return {
    workspaceID,
    sessionID: sessionID ?? undefined,
    permissionID: id,
    permission,
    path,
    access,
    ...several,
    command,
  };
}

export class AuditLog {
  readonly #path: string;
  #descriptor: number;
  #size: number;
  /** The last line could not be written whole: the next one begins on a line of its own. */
  #torn = false;

  /** Throws node's errors when the file cannot be opened. */
  constructor(path: string) {
    this.#path = path;
    this.#descriptor = openSync(path, "a", 0o600);
    this.#size = fstatSync(this.#descriptor).size;
  }

  /** Synchronous (about 10 us), so that a line is there before the command is. Throws a coded error when it cannot be written. */
  write(line: AuditLine): void {
    const text = `${JSON.stringify({ time: new Date().toISOString(), ...line })}\n`;
    const bytes = Buffer.from(this.#torn ? `\n${text}` : text);
    try {
      if (this.#size > 0 && this.#size + bytes.length > ROTATE_BYTES) this.#rotate();
      this.#append(bytes);
    } catch (error) {
      throw fromSystem(error, `could not write ${this.#path}: ${codeOf(error)}`);
    }
  }

  /** The last `limit` lines, oldest first; the file before the rotation is read where this one has fewer. */
  async tail(limit: number): Promise<string> {
    const lines = await lastLines(this.#path, limit);
    if (lines.length < limit) lines.unshift(...(await lastLines(`${this.#path}.1`, limit - lines.length)));
    return lines.map((line) => `${line}\n`).join("");
  }

  close(): void {
    if (this.#descriptor < 0) return;
    closeSync(this.#descriptor);
    this.#descriptor = -1;
  }

  /** A disk that fills up takes a part of it, and the rest fails. */
  #append(bytes: Buffer): void {
    for (let written = 0; written < bytes.length; ) {
      const count = writeSync(this.#descriptor, bytes, written);
      written += count;
      this.#size += count;
      this.#torn = written < bytes.length;
    }
  }

  #rotate(): void {
    renameSync(this.#path, `${this.#path}.1`);
    closeSync(this.#descriptor);
    this.#descriptor = openSync(this.#path, "a", 0o600);
    this.#size = 0;
  }
}

async function lastLines(path: string, limit: number): Promise<string[]> {
  try {
    await using file = await open(path, "r");
    const text = await file.readFile("utf8");
    return text.split("\n").slice(0, -1).slice(-limit);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
}
