// Who ran, asked for and approved what: one JSON line per event, appended before the thing happens, 0600, rotated at 5 MB; four
// older files are kept beside it, `.1` the youngest.
import { closeSync, fchmodSync, fstatSync, openSync, renameSync, writeSync } from "node:fs";
import { open } from "node:fs/promises";
import type { AuditLine } from "../../protocol/audit.js";
import { codeOf, fromSystem } from "../../protocol/errors.js";
import type { Ask } from "../../protocol/permission.js";

const ROTATE_BYTES = 5 * 1024 * 1024;
const KEPT_FILES = 4;

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
    this.#descriptor = openPrivate(path);
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

  /** The last `limit` lines, none older than `since`, oldest first; files before a rotation are read where the younger have fewer. */
  async tail(limit: number, since = 0): Promise<string> {
    const lines: string[] = [];
    for (let index = 0; index <= KEPT_FILES && lines.length < limit; index++) {
      const found = await lastLines(this.#file(index), limit - lines.length);
      const wanted = since === 0 ? found : found.filter((line) => timeOf(line) >= since);
      lines.unshift(...wanted);
      if (found.some((line) => timeOf(line) > 0 && timeOf(line) < since)) break;
    }
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

  #file(index: number): string {
    return index === 0 ? this.#path : `${this.#path}.${index}`;
  }

  #rotate(): void {
    for (let index = KEPT_FILES - 1; index >= 0; index--) {
      try {
        renameSync(this.#file(index), this.#file(index + 1));
      } catch (error) {
        if (codeOf(error) !== "ENOENT") throw error;
      }
    }
    closeSync(this.#descriptor);
    this.#descriptor = openPrivate(this.#path);
    this.#size = 0;
  }
}

/** Also one that was made with other rights. */
function openPrivate(path: string): number {
  const descriptor = openSync(path, "a", 0o600);
  fchmodSync(descriptor, 0o600);
  return descriptor;
}

/** Every line begins with its time. One that is torn has none, and is as old as can be. */
function timeOf(line: string): number {
  const time = Date.parse(/^\{"time":"([^"]+)"/.exec(line)?.[1] ?? "");
  return Number.isNaN(time) ? 0 : time;
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
