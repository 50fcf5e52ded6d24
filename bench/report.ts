// Prints each figure beside its limit, and remembers whether one was missed.

export interface Figure {
  name: string;
  value: number;
  unit: "x" | "ms" | "us" | "MB" | "bytes" | "/s";
  /** At most this; undefined: printed for information. */
  limit?: number;
  /** At least this. */
  least?: number;
  note?: string;
}

export class Report {
  #missed: Figure[] = [];

  section(title: string): void {
    console.log(`\n${title}\n${"-".repeat(title.length)}`);
  }

  add(figure: Figure): void {
    const limits = [
      ...(figure.limit === undefined ? [] : [`limit ${figure.limit} ${figure.unit}`]),
      ...(figure.least === undefined ? [] : [`least ${figure.least} ${figure.unit}`]),
    ];
    const missed = figure.value > (figure.limit ?? Infinity) || figure.value < (figure.least ?? -Infinity);
    if (missed) this.#missed.push(figure);
    const value = `${figure.value.toFixed(figure.unit === "bytes" ? 0 : 2)} ${figure.unit}`;
    console.log(
      `${missed ? "MISS" : limits.length === 0 ? "    " : "ok  "} ${figure.name.padEnd(58)} ${value.padStart(12)}  ${limits.join(" ").padEnd(14)} ${figure.note ?? ""}`,
    );
  }

  /** Prints the outcome; the exit status of the benchmark. */
  finish(): number {
    console.log(this.#missed.length === 0 ? "\nevery limit held" : `\n${this.#missed.length} limit(s) missed`);
    return this.#missed.length === 0 ? 0 : 1;
  }
}
