// What can be approved neither as a workspace's root nor for always, because approving it would approve approving.
import { RemoteError } from "../../protocol/errors.js";
import { isWithin } from "../../protocol/paths.js";

export interface Protected {
  /** Canonical real paths. */
  installRoot: string;
  home: string;
  /** The toolchain of the home that this lies in: approved as one (stub/confinement/toolchains.ts). */
  toolchainOf?: ((path: string) => string | undefined) | undefined;
}

/** Why this directory must not be approved as a whole; undefined where it may. All paths canonical. */
export function whyRefused(path: string, { installRoot, home }: Protected): string | undefined {
  if (path === "/") return "it is the whole file system";
  if (isWithin(path, "/proc")) return "it is the process file system";
  if (path === home) return "it is the home itself, with keys and settings in it";
  if (isWithin(home, path)) return "the home lies in it";
  if (isWithin(installRoot, path)) return "the stub's own files lie in it";
  if (isWithin(path, installRoot)) return "it belongs to the stub itself";
  return undefined;
}

/** `isMasked`: commands get a view in which the stub's files and the user's keys are not, so that a root may hold them. */
export function refuseRoot(path: string, guarded: Protected, isMasked: boolean): void {
  const mayHold = isMasked && !isWithin(path, "/proc") && !isWithin(path, guarded.installRoot);
  const why = mayHold ? undefined : whyRefused(path, guarded);
  if (why === undefined) return;
  throw new RemoteError("root_refused", `${path} cannot be approved: ${why}`, { details: { path } });
}
