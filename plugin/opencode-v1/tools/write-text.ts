// The write behind edit and write: only onto the version that was read, and what is written is what the session knows next.
import type { CachedFile } from "../read-cache.js";
import type { Call, ToolHost } from "./tool-host.js";

/** `before` undefined: the file must not exist yet. Another version there throws `conflict`. */
export async function writeText(
  host: ToolHost,
  call: Call,
  path: string,
  text: string,
  before: CachedFile | undefined,
): Promise<void> {
  const data = new TextEncoder().encode(text);
  try {
    const options = { ...call.options, ifMatch: before?.tag ?? "absent", parents: true };
    const { tag } = await call.session.writeFile(path, data, options);
    host.cache.set(call.context.sessionID, path, { text, tag });
  } catch (error) {
    host.cache.delete(call.context.sessionID, path);
    throw error;
  }
}
