// Rows of text in columns.

/** Columns as wide as they must be, nothing behind the last. */
export function table(rows: string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .filter((cell) => cell !== "")
      .join("  ")
      .trimEnd(),
  );
}
