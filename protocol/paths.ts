// Paths of the host are POSIX paths; compared by component, never by prefix of text.

/** True if `path` is `root` or lies below it: `/a/bc` is not within `/a/b`. Both absolute and normalised. */
export function isWithin(path: string, root: string): boolean {
  if (root === "/") return path.startsWith("/");
  return path === root || path.startsWith(root.endsWith("/") ? root : `${root}/`);
}
