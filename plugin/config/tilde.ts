// Paths of the laptop as users write them.
import { isAbsolute, join } from "node:path";

/** `~` and `~/x` by `home`; other relative paths are below `base`. */
export function expandTilde(path: string, home: string, base: string = home): string {
  if (path === "~") return home;
  if (path.startsWith("~/")) return join(home, path.slice(2));
  return isAbsolute(path) ? path : join(base, path);
}
