// What programs do with the words they are given, guessed from their names: which are paths, and whether they are written.
// It only decides what is asked early and for how much; who enforces is the kernel.

/**
 * `write`: the file is written (a directory: things in it). `entry`: the name itself is made, removed or replaced, which writes its
 * directory.
 */
export type Use = "read" | "write" | "entry";

export interface UsedWord {
  word: string;
  use: Use;
}

interface Program {
  /** Of its plain words; none: they are no paths. */
  words: Use | "none";
  /** Of the last plain word, where there are two or more. */
  last?: Use;
  /** So many plain words in front are none: patterns, modes, scripts. */
  skip?: number;
  /** With one of these options nothing is skipped: the pattern comes that way. */
  unless?: string[];
  /** Options whose value is the next word. */
  options?: Record<string, Use | "none">;
}

const OUTPUT: Record<string, Use | "none"> = { "-o": "write", "--output": "write", "-m": "none", "--message": "none" };
/** `--NAME=` and `NAME=` that say where something is put. */
const PUT =
  /^(-+(output|out|outfile|outdir|out-dir|output-dir|target|target-dir|target-directory|log-file|dest|dest-dir)|of|DESTDIR|PREFIX|prefix)$/;

const NONE: Program = { words: "none" };
const READS: Program = { words: "read", options: OUTPUT };
const WRITES: Program = { words: "write" };
const ENTRIES: Program = { words: "entry" };
const COPIES: Program = {
  words: "read",
  last: "write",
  options: { "-t": "write", "-m": "none", "-o": "none", "-g": "none" },
};
const PATTERN: Program = { words: "read", skip: 1, unless: ["-e", "-f", "--regexp", "--file", "--files"] };
const grep: Program = {
  ...PATTERN,
  options: { "-e": "none", "-f": "read", "-g": "none", "--glob": "none", "-t": "none" },
};
const awk: Program = { ...PATTERN, unless: ["-f", "--file"], options: { "-f": "read", "-v": "none", "-F": "none" } };
const python: Program = { words: "read", options: { "-c": "none", "-m": "none" } };
const install: Program = {
  words: "read",
  options: { "-t": "write", "--target": "write", "--prefix": "write", "-r": "read" },
};

const PROGRAMS = new Map<string, Program>([
  ...named(
    `echo printf true false : exit return export declare typeset local readonly alias unset kill pkill sleep seq expr tr
     basename dirname which type whoami date set shift trap read ulimit umask wait hash hostname uname id ssh`,
    NONE,
  ),
  ...named("rm unlink rmdir shred mkdir mkfifo mknod gzip gunzip xz unxz bzip2 bunzip2 zstd", ENTRIES),
  ...named("tee truncate touch vi vim nvim nano ed ex emacs sqlite3 virtualenv mktemp", WRITES),
  ...named("chmod chown chgrp", { words: "write", skip: 1 }),
  ...named("cp install rsync scp", COPIES),
  ...named("mv", { words: "entry", last: "write", options: { "-t": "write" } }),
  ...named("ln", { words: "read", last: "write" }),
  ...named("link", { words: "read", last: "entry" }),
  ...named("grep egrep fgrep zgrep rg ag ack", grep),
  ...named("awk gawk mawk", awk),
  ...named("jq yq", { ...PATTERN, unless: ["-f", "--from-file"], options: { "-f": "read", "--arg": "none" } }),
  ...named("python python3 ruby", python),
  ...named("node deno bun", { words: "read", options: { "-e": "none", "-p": "none", "--eval": "none" } }),
  ...named("pip pip3 uv npm yarn pnpm", install),
  ...named("cargo", { words: "read", options: { "--target-dir": "write", "--root": "write" } }),
  ...named("make gmake ninja", { words: "none", options: { "-C": "write", "-f": "read", "-I": "read" } }),
  ...named("cmake", { words: "read", options: { "-B": "write", "--build": "write", "--prefix": "write" } }),
  ...named("curl", {
    words: "read",
    options: { ...OUTPUT, "-c": "write", "-D": "write", "-H": "none", "-X": "none", "-d": "none", "--data": "none" },
  }),
  ...named("wget", { words: "read", options: { "-O": "write", "-P": "write", "-o": "write" } }),
  ...named("unzip", { words: "read", options: { "-d": "write" } }),
  ...named("zip", { words: "write" }),
  ...named("patch", { words: "write", options: { "-i": "read", "-d": "write" } }),
]);

/** Those that need rights which nothing that is confined gets: they are setuid. */
const SETUID = new Set(
  "sudo su doas pkexec runuser newgrp sg mount umount fusermount passwd chsh chfn newuidmap".split(" "),
);

const NAMES = new RegExp(`\\b(${[...SETUID].join("|")})\\b`);

/** Whether reading the text may find one of them. */
export function mayGainRights(text: string): boolean {
  return NAMES.test(text);
}

export function gainsRights(name: string): boolean {
  return SETUID.has(baseOf(name));
}

export function baseOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

/** The words that may be paths, options taken apart. */
export function usesOf(name: string, words: string[]): UsedWord[] {
  const program = programOf(baseOf(name), words);
  const uses: UsedWord[] = [];
  const plain: string[] = [];
  let isOver = false;
  for (let index = 0; index < words.length; index++) {
    const word = words[index] as string;
    const value = isOver ? undefined : program.options?.[word];
    if (value !== undefined) {
      index += 1;
      const next = words[index];
      if (value !== "none" && next !== undefined) uses.push({ word: next, use: value });
    } else if (word === "--") isOver = true;
    else if (!isOver && word.startsWith("-")) uses.push(...optionUses(word));
    else plain.push(word);
  }
  const skipped = program.unless?.some((option) => words.some((word) => word.startsWith(option)))
    ? 0
    : (program.skip ?? 0);
  const rest = plain.slice(skipped);
  rest.forEach((word, index) => {
    const isLast = index === rest.length - 1 && rest.length > 1;
    const use = isLast && program.last !== undefined ? program.last : program.words;
    const assigned = /^([A-Za-z_][A-Za-z0-9_]*)=(.+)$/s.exec(word);
    if (assigned !== null)
      uses.push({ word: assigned[2] as string, use: PUT.test(assigned[1] as string) ? "write" : "read" });
    else if (use !== "none") uses.push({ word: word.startsWith("@") ? word.slice(1) : word, use });
  });
  return uses;
}

/** `--prefix=/x`, `-I/x`, `-C../x`. */
function optionUses(word: string): UsedWord[] {
  const long = /^(-+[A-Za-z][A-Za-z0-9-]*)=(.+)$/s.exec(word);
  if (long !== null) return [{ word: long[2] as string, use: PUT.test(long[1] as string) ? "write" : "read" }];
  const glued = /^-([A-Za-z])([/\uE000].*|\.\.?\/.*|\.\.)$/s.exec(word);
  return glued === null ? [] : [{ word: glued[2] as string, use: glued[1] === "o" ? "write" : "read" }];
}

/** Where what it does depends on how it is called. */
function programOf(name: string, words: string[]): Program {
  switch (name) {
    case "sed": {
      const inPlace = words.some((word) => /^(-[A-Za-z]*i|--in-place)/.test(word));
      const scripts = { "-e": "none", "-f": "read", "--expression": "none" } as const;
      return {
        ...PATTERN,
        words: inPlace ? "write" : "read",
        unless: ["-e", "-f", "--expression", "--file"],
        options: scripts,
      };
    }
    case "perl": {
      const inPlace = words.some((word) => /^-[a-zA-Z0]*i/.test(word));
      const code = words.find((word) => /^-[a-zA-Z0]*[eE]$/.test(word));
      return { words: inPlace ? "write" : "read", options: code === undefined ? {} : { [code]: "none" } };
    }
    case "find":
      return findProgram(words);
    case "tar":
      return tarProgram(words);
    case "git":
      return gitProgram(words);
    case "python":
    case "python3":
      return words.includes("venv") ? { words: "write", options: { "-m": "none" } } : python;
    case "cp":
    case "install":
    case "mv": {
      const program = PROGRAMS.get(name) as Program;
      return words.some((word) => word === "-t" || word.startsWith("--target-directory"))
        ? { ...program, last: program.words as Use }
        : program;
    }
    default:
      return PROGRAMS.get(name) ?? READS;
  }
}

function findProgram(words: string[]): Program {
  const changes =
    words.some((word) => ["-delete", "-exec", "-execdir", "-ok"].includes(word)) &&
    words.some((word) => word === "-delete" || ["entry", "write"].includes(PROGRAMS.get(baseOf(word))?.words ?? ""));
  const options: Record<string, "none" | Use> = { "-fprint": "write", "-newer": "read" };
  for (const name of "name iname path ipath wholename iwholename regex iregex type size mtime mmin perm user group maxdepth mindepth".split(
    " ",
  )) {
    options[`-${name}`] = "none";
  }
  return { words: changes ? "write" : "read", options };
}

/** `tar xzf FILE -C DIR` and `tar -x -f FILE`: members are no paths of the host, but what is packed is. */
function tarProgram(words: string[]): Program {
  const bundle = words.find((word) => /^-?[A-Za-z]+$/.test(word)) ?? "";
  const all = words.filter((word) => /^-[A-Za-z]+$|^--/.test(word)).join(" ") + bundle;
  const extracts = /x|--extract|--get/.test(all.replace(/--(?!extract|get)[a-z-]+/g, ""));
  const lists = /t|--list/.test(bundle) && !extracts;
  const options: Program["options"] = { "-C": extracts ? "write" : "read", "--directory": extracts ? "write" : "read" };
  if (bundle.endsWith("f")) options[bundle] = extracts || lists ? "read" : "write";
  options["-f"] = extracts || lists ? "read" : "write";
  return { words: extracts || lists ? "none" : "read", options };
}

const GIT_LOOKS =
  /^(status|log|diff|show|grep|blame|rev-parse|ls-files|ls-tree|describe|cat-file|shortlog|config|remote)$/;

function gitProgram(words: string[]): Program {
  const looks = words.some((word) => GIT_LOOKS.test(word));
  const options: Program["options"] = {
    "-C": looks ? "read" : "write",
    "-m": "none",
    "-c": "none",
    "-F": "read",
    "--git-dir": "read",
  };
  const makes = words.includes("clone") || words.includes("worktree");
  if (words.includes("init")) return { words: "write", options };
  return makes ? { words: "read", last: "write", options } : { words: "read", options };
}

function named(names: string, program: Program): [string, Program][] {
  return names
    .trim()
    .split(/\s+/)
    .map((name) => [name, program]);
}
