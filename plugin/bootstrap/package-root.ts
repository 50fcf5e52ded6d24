// Where this package lies, from its own place and never from the current directory: the source tree, a checkout's
// dist/, or what npm unpacked.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { RemoteError } from "../../protocol/errors.js";

/** The nearest directory above `from` (a file URL) whose package.json is ours. Throws `bundle_missing`. */
export function packageRoot(from: string = import.meta.url): string {
  const start = dirname(fileURLToPath(from));
  for (let directory = start; ; directory = dirname(directory)) {
    const file = join(directory, "package.json");
    if (existsSync(file) && nameOf(file) === "opencode-remote-ssh") return directory;
    if (dirname(directory) === directory) {
      throw new RemoteError("bundle_missing", `the package of ${start} was not found above it`, {
        hint: "keep dist/ inside the package opencode-remote-ssh",
      });
    }
  }
}

function nameOf(file: string): unknown {
  const parsed: unknown = JSON.parse(readFileSync(file, "utf8"));
  return typeof parsed === "object" && parsed !== null && "name" in parsed ? parsed.name : undefined;
}
