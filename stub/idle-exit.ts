// `--idle-exit`: a stub that nobody needs ends by itself.

export interface IdleOptions {
  seconds: number;
  /** True while somebody is connected or something runs. */
  busy(): boolean;
  onIdle(): void;
}

export function watchIdle({ seconds, busy, onIdle }: IdleOptions): Disposable {
  let lastBusy = Date.now();
  const timer = setInterval(() => {
    if (busy()) lastBusy = Date.now();
    else if (Date.now() - lastBusy >= seconds * 1000) {
      clearInterval(timer);
      onIdle();
    }
  }, 250);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
