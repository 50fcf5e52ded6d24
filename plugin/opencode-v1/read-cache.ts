// What a session has read: with the text and its version tag an edit needs one round trip, and a file that somebody
// else changed meanwhile is noticed by the host.

export interface CachedFile {
  /** With its byte order mark, if it has one. */
  text: string;
  tag: string;
}

/** Characters of text kept over all sessions; the longest unused go first. */
const LIMIT = 32 * 1024 * 1024;

export class ReadCache {
  readonly #files = new Map<string, CachedFile>();
  #size = 0;

  get(sessionID: string, path: string): CachedFile | undefined {
    const key = `${sessionID}\0${path}`;
    const file = this.#files.get(key);
    if (file) {
      this.#files.delete(key);
      this.#files.set(key, file);
    }
    return file;
  }

  set(sessionID: string, path: string, file: CachedFile): void {
    this.delete(sessionID, path);
    this.#files.set(`${sessionID}\0${path}`, file);
    this.#size += file.text.length;
    for (const [key, oldest] of this.#files) {
      if (this.#size <= LIMIT) break;
      this.#files.delete(key);
      this.#size -= oldest.text.length;
    }
  }

  delete(sessionID: string, path: string): void {
    const key = `${sessionID}\0${path}`;
    const file = this.#files.get(key);
    if (!file) return;
    this.#files.delete(key);
    this.#size -= file.text.length;
  }
}
