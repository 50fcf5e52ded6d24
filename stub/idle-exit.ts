// `--idle-exit`: a stub that nobody needs ends by itself.

export interface IdleOptions {
  seconds: number;
  /** True while somebody is connected or something runs. */
  busy(): boolean;
  onIdle(): void;
  /** Milliseconds of a clock that nobody sets. */
  now?: (() => number) | undefined;
}

export function watchIdle({ seconds, busy, onIdle, now = () => performance.now() }: IdleOptions): Disposable {
  let lastBusy = now();
  const timer = setInterval(() => {
    if (busy()) lastBusy = now();
    else if (now() - lastBusy >= seconds * 1000) {
      clearInterval(timer);
      onIdle();
    }
  }, 250);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
