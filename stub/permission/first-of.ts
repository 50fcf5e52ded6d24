/** What the promise gives, unless one of the signals is aborted before. */
export async function firstOf<T>(promise: Promise<T>, ...signals: AbortSignal[]): Promise<T | "aborted"> {
  let abort: () => void = () => undefined;
  const aborted = new Promise<"aborted">((resolve) => {
    abort = () => resolve("aborted");
  });
  for (const signal of signals) {
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  }
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    for (const signal of signals) signal.removeEventListener("abort", abort);
  }
}
