// Git's patch of many files as one text, taken apart by file. Pure.

/** By the name behind `+++` (or `---` of what was deleted). A truncated text loses its last patch. */
export function splitPatches(text: string, truncated: boolean): Map<string, string> {
  // Lines of files are indented by one character: only headers begin so.
  const starts = [...text.matchAll(/^diff --git /gm)].map(({ index }) => index);
  const patches = starts.map((start, index) => text.slice(start, starts[index + 1] ?? text.length));
  if (truncated) patches.pop();
  const byFile = new Map<string, string>();
  for (const patch of patches) {
    const file = fileOf(patch);
    if (file !== undefined) byFile.set(file, (byFile.get(file) ?? "") + patch);
  }
  return byFile;
}

function fileOf(patch: string): string | undefined {
  const head = patch.slice(0, startOfHunks(patch));
  return (
    nameOf(/^\+\+\+ (.+)$/m.exec(head)?.[1]) ??
    nameOf(/^--- (.+)$/m.exec(head)?.[1]) ??
    sameName(head.slice("diff --git ".length, head.indexOf("\n")))
  );
}

function startOfHunks(patch: string): number {
  const at = patch.search(/^@@ /m);
  return at < 0 ? patch.length : at;
}

/** `a/NAME` or `b/NAME`, quoted where it must be, with a tab behind it where it holds a space. */
function nameOf(text: string | undefined): string | undefined {
  if (text === undefined || text === "/dev/null") return undefined;
  const name = text.startsWith('"') ? unquote(text) : (text.split("\t")[0] as string);
  return /^[ab]\//.test(name) ? name.slice(2) : undefined;
}

/** `a/NAME b/NAME`, of a change of mode or of a binary file: both names are the same. */
function sameName(header: string): string | undefined {
  const half = (header.length - 1) / 2;
  return header[half] === " " ? nameOf(header.slice(half + 1)) : undefined;
}

const ESCAPES: Record<string, number> = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13, '"': 34, "\\": 92 };

/** Git's C style, with octal bytes. */
function unquote(text: string): string {
  const bytes: number[] = [];
  const source = Buffer.from(text);
  for (let at = 1; at < source.length; at += 1) {
    const byte = source[at] as number;
    if (byte === 34) break;
    if (byte !== 92) {
      bytes.push(byte);
      continue;
    }
    const octal = /^[0-3][0-7]{2}/.exec(source.toString("latin1", at + 1, at + 4))?.[0];
    if (octal !== undefined) bytes.push(Number.parseInt(octal, 8));
    else bytes.push(ESCAPES[String.fromCharCode(source[at + 1] as number)] ?? (source[at + 1] as number));
    at += octal === undefined ? 1 : 3;
  }
  return Buffer.from(bytes).toString("utf8");
}

/** As OpenCode shows a file whose patch is too large. */
export function emptyPatch(file: string): string {
  return `Index: ${file}\n${"=".repeat(67)}\n--- ${file}\n+++ ${file}\n`;
}
