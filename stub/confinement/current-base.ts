// The base set and git's settings as they are now, looked at again at most once a second: files of /etc are replaced (a new user),
// and what was built with the old one would refuse the new.
import { statSync } from "node:fs";
import { join } from "node:path";
import { baseProfile } from "./base-profile.js";
import { entryOf } from "./entries.js";
import { gitSettings } from "./git-config.js";

export interface CurrentBaseOptions {
  /** Canonical. */
  home: string;
  /** XDG_CONFIG_HOME of the login, once that is known. */
  configHome?: (() => string | undefined) | undefined;
  /** Milliseconds of a clock that nobody sets. */
  now?: (() => number) | undefined;
}

export interface Base {
  entries: string[];
  /** Which files lie under these names: changes with any of them. */
  identity: string;
  /** The user's `.gitconfig` where that is a link. */
  gitConfig: string | undefined;
}

const FRESH_MS = 1000;

export class CurrentBase {
  readonly #options: CurrentBaseOptions;
  #base: Base | undefined;
  #directories: string[] = [];
  #seen = "";
  #looked = 0;

  constructor(options: CurrentBaseOptions) {
    this.#options = options;
  }

  /** The same object as long as nothing has changed. */
  get(): Base {
    const { now = () => performance.now() } = this.#options;
    if (this.#base !== undefined && now() - this.#looked < FRESH_MS) return this.#base;
    this.#looked = now();
    const seen = this.#look();
    if (this.#base === undefined || seen !== this.#seen) {
      this.#base = this.#read();
      this.#seen = this.#look();
    }
    return this.#base;
  }

  /** A file that is replaced changes its directory; of git's settings the contents count, too. */
  #look(): string {
    const { home } = this.#options;
    const watched = [
      ...this.#directories,
      join(home, ".gitconfig"),
      this.#gitDirectory,
      join(this.#gitDirectory, "config"),
    ];
    return watched
      .map((path) => {
        const found = statSync(path, { throwIfNoEntry: false, bigint: true });
        return found === undefined ? "-" : `${found.ino} ${found.mtimeNs}`;
      })
      .join("\n");
  }

  #read(): Base {
    const { home, configHome } = this.#options;
    const base = baseProfile();
    this.#directories = base.directories;
    const git = gitSettings({ home, configHome: configHome?.() });
    const files = git.files.flatMap((path) => entryOf({ path, access: "read", kind: "file" }) ?? []);
    return {
      entries: [...base.entries, ...files.map(({ text }) => text)],
      identity: [base.identity, ...files.map(({ live }) => live)].join(" "),
      gitConfig: git.linked,
    };
  }

  get #gitDirectory(): string {
    const { home, configHome } = this.#options;
    return join(configHome?.() || join(home, ".config"), "git");
  }
}
