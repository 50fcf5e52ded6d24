// What a file request is about to do, told before it is done, so that it can be undone. Kept by stub/undo/.

/** What is at a path, as far as it can be compared and put back. */
export type FileState =
  | { type: "absent" }
  | { type: "link"; target: string }
  | { type: "file"; tag: string; mode: number; uid: number; gid: number }
  /** Neither: it can be named, not put back. */
  | { type: "other" };

export interface Change {
  /** Canonical real path. */
  path: string;
  /** The same, as it can be opened safely (in a pinned directory). */
  at: string;
  /** What will be there; or it is taken from this path, safe too. */
  after: FileState | { takenFrom: string };
  /** Directories that were made for it, outermost first. */
  made: string[];
}

export interface ChangeRecorder {
  /** To be called before anything is locked or looked at. */
  ready(): Promise<void>;
  /** To be called right before the changes are made. */
  before(changes: Change[]): Promise<void>;
}
