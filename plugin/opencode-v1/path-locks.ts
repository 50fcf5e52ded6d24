// Edits of one file follow one another, as with the built-in: a turn may call edit several times at once.

export class PathLocks {
  readonly #last = new Map<string, Promise<unknown>>();

  async run<T>(path: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(path) ?? Promise.resolve();
    const mine = before.then(work, work);
    const settled = mine.then(
      () => undefined,
      () => undefined,
    );
    this.#last.set(path, settled);
    try {
      return await mine;
    } finally {
      if (this.#last.get(path) === settled) this.#last.delete(path);
    }
  }
}
