// Where an anchor lies: `anchors/<8 hex of host and path>/<host>/<remote path>/`, so that a path which OpenCode shows reads well.
// Names come from configuration and from hosts: whatever they hold, the result stays below its `<8 hex>` directory.
import { createHash } from "node:crypto";
import { join } from "node:path";
import { printable } from "./printable.js";

/** Longest file name that common file systems take, with room for multi-byte characters. */
const SEGMENT_MAX = 120;

export interface AnchorPaths {
  /** `anchors/<8 hex>`: holds the record and the shell wrapper. */
  root: string;
  /** What OpenCode works in. */
  directory: string;
  record: string;
  wrapper: string;
}

/** `remoteDirectory` as the user named it: absolute or `~/…`. */
export function anchorPaths(stateDir: string, host: string, remoteDirectory: string): AnchorPaths {
  const root = join(stateDir, "anchors", anchorKey(host, remoteDirectory));
  return {
    root,
    directory: join(root, segment(host) ?? "host", ...segments(remoteDirectory)),
    record: join(root, "anchor.json"),
    wrapper: join(root, "remote-shell"),
  };
}

function anchorKey(host: string, remoteDirectory: string): string {
  return createHash("sha256").update(`${host}\0${remoteDirectory}`).digest("hex").slice(0, 8);
}

function segments(path: string): string[] {
  return path.split("/").flatMap((part) => segment(part) ?? []);
}

/** One harmless file name; undefined where nothing is left of it. */
function segment(text: string): string | undefined {
  const clean = printable(text).replace(/[/\\]/g, "").slice(0, SEGMENT_MAX);
  // `.git`, `.opencode` and the like would mean something to OpenCode when it looks upwards from the anchor.
  if (/^\.+$/.test(clean) || clean === "") return undefined;
  return clean.startsWith(".") ? `_${clean}` : clean;
}
