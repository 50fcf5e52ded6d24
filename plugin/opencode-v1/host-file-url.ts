// What the gateway makes of a `file:` URL in a prompt: one that leads to nothing on the laptop, so that OpenCode reads nothing there,
// and from which the plugin knows the path again (prompt-files.ts). `data:MIME;host-file=BASE64URL-OF-THE-PATH;base64,`
const MARKED = /^data:[^,;]*;host-file=([A-Za-z0-9_-]+);base64,$/;

export function hostFileURL(path: string, mime: string): string {
  return `data:${mime};host-file=${Buffer.from(path).toString("base64url")};base64,`;
}

/** The path as OpenCode's client knew it; undefined for every other URL. */
export function pathOfHostFile(url: string): string | undefined {
  const [, path] = MARKED.exec(url) ?? [];
  return path === undefined ? undefined : Buffer.from(path, "base64url").toString();
}
