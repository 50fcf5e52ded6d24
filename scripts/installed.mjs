// Exit 0 if node_modules holds what package-lock.json says, by npm's own record of what it installed. Node only:
// it runs before anything is installed.
import { readFileSync } from "node:fs";

function packages(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8")).packages;
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
}

const wanted = packages("package-lock.json");
const installed = packages("node_modules/.package-lock.json");
if (wanted === undefined || installed === undefined) process.exit(1);
for (const [path, entry] of Object.entries(wanted)) {
  if (path === "") continue;
  const present = installed[path];
  // Optional packages are for other platforms where they are absent.
  if (present === undefined ? !(entry.optional || entry.devOptional) : present.version !== entry.version)
    process.exit(1);
}
