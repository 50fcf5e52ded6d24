// Comparing a version and putting another in its place are two steps; between them nobody else of this stub may do the same.

/** By canonical path; kept only while somebody is at it. */
const turns = new Map<string, Promise<void>>();

/** `work` alone on this path, after those who came before. */
export async function inTurn<T>(path: string, work: () => Promise<T>): Promise<T> {
  const mine = (turns.get(path) ?? Promise.resolve()).then(work);
  const over = mine.then(ignore, ignore);
  turns.set(path, over);
  try {
    return await mine;
  } finally {
    if (turns.get(path) === over) turns.delete(path);
  }
}

function ignore(): void {
  // Whoever comes next does not care how it ended.
}
