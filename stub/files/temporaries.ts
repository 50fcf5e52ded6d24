// Files that are half written, remembered in the state directory for as long as they are: a stub that is killed leaves no
// litter in the user's directories, because the next one knows where it was.
import { randomBytes } from "node:crypto";
import { lstat, mkdir, readdir, readlink, symlink, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { codeOf, ignoreMissing } from "../../protocol/errors.js";
import { isAlive, type ProcessName, processName } from "../process-name.js";
import { inside, pin } from "./pin.js";

const TEMPORARY = /^\..*\.[0-9a-f]{12}\.tmp$/s;
const NOTE = /^(\d+)\.(\d+)\.([0-9a-f-]{36})\.[0-9a-f]{12}$/;
/** A note of another boot may be of another machine with the same home, which is at work. */
const OTHER_BOOT_MS = 24 * 60 * 60 * 1000;

/** For `name`: at most 255 bytes, so a long one is cut. */
export function temporaryName(name: string): string {
  const kept = Buffer.byteLength(name) <= 200 ? name : name.slice(0, 50);
  return `.${kept}.${randomBytes(6).toString("hex")}.tmp`;
}

export class Temporaries {
  readonly #directory: string;
  readonly #self: ProcessName | undefined = processName(process.pid);

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** `directory` is ours, made if missing. */
  static async open(directory: string): Promise<Temporaries> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    return new Temporaries(directory);
  }

  /** Until it is disposed of, `path` (canonical parent and a temporary name) is known as ours. */
  async hold(path: string): Promise<AsyncDisposable> {
    if (this.#self === undefined) return nothingHeld;
    const { pid, startTime, boot } = this.#self;
    const note = join(this.#directory, `${pid}.${startTime}.${boot}.${randomBytes(6).toString("hex")}`);
    try {
      await symlink(path, note);
    } catch (error) {
      // A write is not refused because its note cannot be kept (our disk is full, the user's may not be).
      if (codeOf(error) === undefined) throw error;
      return nothingHeld;
    }
    return { [Symbol.asyncDispose]: () => unlink(note).catch(ignoreMissing) };
  }

  /** Removes what dead stubs left half written. */
  async sweep(): Promise<void> {
    for (const name of await readdir(this.#directory)) {
      const note = join(this.#directory, name);
      if (!(await isAbandoned(name, note))) continue;
      const path = await readlink(note);
      await removeTemporary(path).catch(ignoreSystem);
      await unlink(note).catch(ignoreMissing);
    }
  }
}

const nothingHeld: AsyncDisposable = { [Symbol.asyncDispose]: () => Promise.resolve() };

async function isAbandoned(name: string, note: string): Promise<boolean> {
  const [, pid, startTime = "", boot = ""] = NOTE.exec(name) ?? [];
  if (pid === undefined || isAlive({ pid: Number(pid), startTime, boot })) return false;
  if (processName(process.pid)?.boot === boot) return true;
  const found = await lstat(note).catch(ignoreMissing);
  return found !== undefined && Date.now() - found.mtimeMs > OTHER_BOOT_MS;
}

/** Only a file of such a name, in the very directory that it was made in. */
async function removeTemporary(path: string): Promise<void> {
  const name = basename(path);
  if (!TEMPORARY.test(name)) return;
  await using parent = await pin(dirname(path), { directory: true });
  if (parent.real !== dirname(path)) return;
  const file = inside(parent, name);
  if ((await lstat(file)).isFile()) await unlink(file);
}

/** The directory is gone, or may not be changed any more: there is nothing that we could do. */
function ignoreSystem(error: unknown): void {
  if (codeOf(error) === undefined) throw error;
}
