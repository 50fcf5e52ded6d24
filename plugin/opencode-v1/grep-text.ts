// What the grep tool answers, grouped by file as they come. Pure.

export interface FoundLine {
  path: string;
  line: number;
  text: string;
}

export function grepText(matches: FoundLine[], truncated: boolean): string {
  if (matches.length === 0) return "No files found";
  const lines = [`Found ${matches.length} matches${truncated ? " (more matches available)" : ""}`];
  let path = "";
  for (const match of matches) {
    if (match.path !== path) {
      if (path !== "") lines.push("");
      path = match.path;
      lines.push(`${path}:`);
    }
    lines.push(`  Line ${match.line}: ${match.text}`);
  }
  if (truncated) lines.push("", "(Results truncated. Consider using a more specific path or pattern.)");
  return lines.join("\n");
}
