// Programs that the stub itself runs for a workspace (ripgrep, git): through the helper, so that the kernel holds them to what may be
// read whatever lies in the repository and whatever is swapped while they walk. They ask nothing: what is refused is not found.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { RemoteError } from "../../protocol/errors.js";
import { checkedHelper } from "../helper-binary.js";

export interface HeldProgram {
  /** Absolute path of the helper binary. */
  helper: string;
  /** One of the kernel's is enough, the cheaper one is taken: a rule set is built in a millisecond, a view in several. */
  level: "landlock" | "mount" | "guard";
  /** stub/native/confine/policy.h */
  policy: Buffer;
}

export interface Program {
  /** Looked up on the PATH of `env` where it has no slash. */
  file: string;
  args: string[];
  /** A pinned directory, as /proc/self/fd/N, and its real path. */
  directory: { path: string; real: string };
  env: Record<string, string>;
  /** In a process group of its own. */
  detached?: boolean;
}

/** `held` undefined: it runs as it is. */
export function startProgram(
  held: HeldProgram | undefined,
  { file, args, directory, env, detached = false }: Program,
): ChildProcessByStdio<null, Readable, Readable> {
  const options = { cwd: directory.path, env, detached };
  if (held === undefined) return spawn(file, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  // A view has its own directories: the one to stand in is found again there, by its name.
  const place = held.level === "mount" ? ["--cwd", directory.real] : [];
  const confined = ["confine", "--level", held.level, "--policy-fd", "3", ...place, "--", file, ...args];
  const child = spawn(checkedHelper(held.helper), confined, { ...options, stdio: ["ignore", "pipe", "pipe", "pipe"] });
  const policy = child.stdio[3] as NodeJS.WritableStream;
  policy.on("error", () => undefined); // it did not start, or has ended: its exit says so
  policy.end(held.policy);
  return child as unknown as ChildProcessByStdio<null, Readable, Readable>;
}

/** `enum confine_exit` of stub/native/confine/confine.h: nothing ran. */
const MOVED = 123;
const NOTHING_RAN = [122, MOVED, 124, 125];

/** Throws where `held` kept it from running at all: `confine_failed`, ENOENT for what was moved away meanwhile. */
export function checkStarted(held: HeldProgram | undefined, code: number | null, stderr: string): void {
  if (held === undefined || code === null || !NOTHING_RAN.includes(code) || !stderr.startsWith("confine: ")) return;
  const said = stderr.slice("confine: ".length).split("\n", 1)[0] ?? "";
  if (code === MOVED) throw new RemoteError("ENOENT", `moved or replaced meanwhile: ${said}`);
  throw new RemoteError("confine_failed", `the confinement cannot be applied: ${said}`);
}
