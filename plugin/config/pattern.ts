// The patterns of ssh_config and known_hosts: `*` any text, `?` one character, nothing else is special.

/** Linear backtracking, no regular expression: the patterns come from files that others may have written. */
export function matchPattern(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let mark = 0;
  while (t < text.length) {
    const each = pattern[p];
    if (each === "*") {
      star = p++;
      mark = t;
    } else if (each !== undefined && (each === "?" || each === text[t])) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}

/** True if one matches and none of the negated (`!pattern`) does. */
export function matchPatternList(patterns: readonly string[], text: string): boolean {
  let matched = false;
  for (const pattern of patterns) {
    if (pattern.startsWith("!")) {
      if (matchPattern(pattern.slice(1), text)) return false;
    } else if (matchPattern(pattern, text)) {
      matched = true;
    }
  }
  return matched;
}
