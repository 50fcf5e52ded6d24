// Prints each figure beside its limit, and remembers whether one was missed.

export interface Figure {
  name: string;
  value: number;
  unit: "x" | "ms" | "MB" | "bytes";
  /** At most this; undefined: printed for information. */
  limit?: number;
  note?: string;
}

export class Report {
  #missed: Figure[] = [];

  section(title: string): void {
    console.log(`\n${title}\n${"-".repeat(title.length)}`);
  }

  add(figure: Figure): void {
    const missed = figure.limit !== undefined && figure.value > figure.limit;
    if (missed) this.#missed.push(figure);
    const value = `${figure.value.toFixed(figure.unit === "bytes" ? 0 : 2)} ${figure.unit}`;
    const limit = figure.limit === undefined ? "" : `limit ${figure.limit} ${figure.unit}`;
    console.log(
      `${missed ? "MISS" : figure.limit === undefined ? "    " : "ok  "} ${figure.name.padEnd(58)} ${value.padStart(12)}  ${limit.padEnd(14)} ${figure.note ?? ""}`,
    );
  }

  /** Prints the outcome; the exit status of the benchmark. */
  finish(): number {
    console.log(this.#missed.length === 0 ? "\nevery limit held" : `\n${this.#missed.length} limit(s) missed`);
    return this.#missed.length === 0 ? 0 : 1;
  }
}
