// Which names are like what was typed: pure, so that it can be tried.

/** Best first: in the file's name, then in the path, then letters in order; shorter before longer. Directories end with `/`. */
export function rankNames(files: string[], query: string, limit: number, type?: "file" | "directory"): string[] {
  const wanted = query.toLowerCase();
  const names = type === "file" ? files : withDirectories(files, type);
  if (wanted === "") return names.slice(0, limit);
  const scored: { name: string; score: number }[] = [];
  for (const name of names) {
    const score = scoreOf(name.toLowerCase(), wanted);
    if (score !== undefined) scored.push({ name, score });
  }
  scored.sort((a, b) => a.score - b.score || a.name.length - b.name.length || (a.name < b.name ? -1 : 1));
  return scored.slice(0, limit).map(({ name }) => name);
}

function withDirectories(files: string[], type: "directory" | undefined): string[] {
  const directories = new Set<string>();
  for (const file of files) {
    for (let at = file.indexOf("/"); at >= 0; at = file.indexOf("/", at + 1)) directories.add(file.slice(0, at + 1));
  }
  return type === "directory" ? [...directories] : [...files, ...directories];
}

function scoreOf(name: string, wanted: string): number | undefined {
  const bare = name.endsWith("/") ? name.slice(0, -1) : name;
  const own = bare.slice(bare.lastIndexOf("/") + 1);
  if (own === wanted) return 0;
  if (own.startsWith(wanted)) return 1;
  if (own.includes(wanted)) return 2;
  if (name.includes(wanted)) return 3;
  let at = -1;
  for (const letter of wanted) {
    at = name.indexOf(letter, at + 1);
    if (at < 0) return undefined;
  }
  return 4;
}
