// Most commands are plain words: `git status`, `npm test`. A shell would only look them up and execute them in its own place;
// starting it for that costs more than everything else of a command together. make does the same.
// Where the lookup or the execution fails, the helper starts the shell after all, whose message and status are then the answer.

/** Words without any character that means something to a shell; no assignment, no job (`%1`) in front. */
const PLAIN = /^ *[A-Za-z0-9_@+:,./-]+(?: +[A-Za-z0-9_@%+:,./=-]+)* *$/;

/** What bash, dash or ash do themselves, and what begins a construct. `echo` and `true` are the same outside: see below. */
const OWN = new Set(
  (
    ". : alias bg bind break builtin caller case cd chdir command compgen complete compopt continue coproc declare dirs disown " +
    "do done echo elif else enable esac eval exec exit export false fc fg fi for function getopts hash help history if in jobs " +
    "kill let local logout mapfile popd printf pushd pwd read readarray readonly return select set shift shopt source suspend " +
    "test then time times trap true type typeset ulimit umask unalias unset until wait while"
  ).split(" "),
);

/** Variables by which a shell would do more than execute: files to read first, options, functions. */
function changesShells(name: string): boolean {
  return (
    name === "BASH_ENV" ||
    name === "ENV" ||
    name === "SHELLOPTS" ||
    name === "BASHOPTS" ||
    name.startsWith("BASH_FUNC_")
  );
}

/** The words to execute, or undefined where only a shell will do. `names`: variables of the command's environment. */
export function directWords(text: string, names: Iterable<string>): string[] | undefined {
  if (!PLAIN.test(text)) return undefined;
  const words = text.split(" ").filter((word) => word !== "");
  const [program, ...args] = words;
  if (program === undefined || !isOutside(program, args)) return undefined;
  let hasPath = false;
  for (const name of names) {
    if (changesShells(name)) return undefined;
    hasPath ||= name === "PATH";
  }
  return hasPath ? words : undefined;
}

function isOutside(program: string, args: string[]): boolean {
  if (!OWN.has(program)) return true;
  if (program === "true" || program === "false") return args.length === 0;
  return program === "echo" && !args.some((arg) => arg.startsWith("-"));
}
