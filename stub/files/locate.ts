// From what a client wrote to a real path: of the object, or where it would be.
import { codeOf, RemoteError } from "../../protocol/errors.js";
import { isWithin } from "../../protocol/paths.js";
import { type Pin, type PinOptions, pin } from "./pin.js";

export interface PathBase {
  /** Canonical directory of the workspace; null: relative paths are refused. */
  directory: string | null;
  home: string;
}

/** Absolute, but not yet real: `..` and links are left to the kernel, which alone knows them. Throws `invalid_path`. */
export function absolutePath(text: string, { directory, home }: PathBase): string {
  if (text.includes("\0")) throw new RemoteError("invalid_path", "a path cannot hold NUL");
  if (Buffer.byteLength(text) > 4095) throw new RemoteError("ENAMETOOLONG", "a path has at most 4095 bytes");
  if (text.startsWith("/")) return text;
  if (text === "~") return home;
  if (text.startsWith("~/")) return `${home}/${text.slice(2)}`;
  if (directory === null) {
    throw new RemoteError("invalid_path", `a relative path, and the workspace has no directory: ${text}`);
  }
  return `${directory}/${text}`;
}

/** Throws EACCES for the process file system, which is full of doors to other places. */
export function refuseProc(path: string, asked: string): void {
  if (isWithin(path, "/proc")) {
    throw new RemoteError("EACCES", `not served by the file API: ${asked}`, { hint: "read /proc with a command" });
  }
}

export type Located =
  | { found: true; pin: Pin; real: string }
  /** `ancestor` is the nearest one that exists; `rest` are the names from there. */
  | { found: false; real: string; ancestor: Pin; rest: string[]; error: unknown };

/** Follows links. The caller disposes of the pin. Throws `invalid_path`, EACCES for /proc. */
export async function locate(path: string, options: PinOptions = {}): Promise<Located> {
  refuseProc(path, path);
  try {
    const pinned = await pin(path, options);
    return await checked({ found: true, pin: pinned, real: pinned.real }, pinned, path);
  } catch (error) {
    if (error instanceof RemoteError) throw error;
    const { ancestor, rest } = await nearest(path);
    const real = [ancestor.real === "/" ? "" : ancestor.real, ...rest].join("/");
    return await checked({ found: false, real, ancestor, rest, error }, ancestor, path);
  }
}

async function checked<T extends Located>(located: T, pinned: Pin, asked: string): Promise<T> {
  try {
    refuseProc(pinned.real, asked);
    return located;
  } catch (error) {
    await pinned[Symbol.asyncDispose]();
    throw error;
  }
}

async function nearest(path: string): Promise<{ ancestor: Pin; rest: string[] }> {
  const names = path.split("/").filter((name) => name !== "" && name !== ".");
  const rest: string[] = [];
  while (names.length > 0) {
    rest.unshift(names.pop() as string);
    // What lies beyond a missing directory has no parent to go back to.
    if (rest.includes("..")) throw new RemoteError("ENOENT", `no such file or directory: ${path}`);
    try {
      return { ancestor: await pin(`/${names.join("/")}`), rest };
    } catch (error) {
      if (error instanceof RemoteError || codeOf(error) === "EMFILE") throw error;
    }
  }
  throw new RemoteError("ENOENT", `no such file or directory: ${path}`);
}
