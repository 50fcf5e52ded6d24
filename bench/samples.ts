// Samples of one thing that was timed, and what is read off them.

/** Milliseconds, monotonic. */
export function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** The value below which `part` (0-1) of the samples lie. */
export function percentile(samples: number[], part: number): number {
  if (samples.length === 0) throw new RangeError("no samples");
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] as number;
}

export const median = (samples: number[]): number => percentile(samples, 0.5);

/** Runs each variant once a round, in a new random order each round, so that a slow moment hits all alike. */
export async function interleave(
  variants: Record<string, () => Promise<unknown>>,
  options: { rounds: number; warmup: number; pauseMs?: number; before?: () => Promise<unknown> },
): Promise<Record<string, number[]>> {
  const samples: Record<string, number[]> = Object.fromEntries(Object.keys(variants).map((name) => [name, []]));
  for (let round = -options.warmup; round < options.rounds; round++) {
    for (const [name, run] of shuffled(Object.entries(variants))) {
      if (options.pauseMs !== undefined) await new Promise((resolve) => setTimeout(resolve, options.pauseMs));
      await options.before?.();
      const start = now();
      await run();
      if (round >= 0) samples[name]?.push(now() - start);
    }
  }
  return samples;
}

function shuffled<T>(list: T[]): T[] {
  return list
    .map((value) => ({ value, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value);
}
