// `sudo env A=b timeout 5 cat /x`: programs that run another one, and where that one begins.
import { baseOf } from "./uses.js";

/** Each with those of its options (letters, or long names) whose value is the next word. */
const WRAPPERS = new Map<string, string[]>(
  Object.entries({
    sudo: "u g C h p r t T D R",
    doas: "u C",
    pkexec: "-user",
    env: "u C S -unset -chdir",
    nice: "n -adjustment",
    ionice: "c n p",
    nohup: "",
    time: "f o",
    timeout: "s k -signal -kill-after",
    stdbuf: "i o e",
    setsid: "",
    chrt: "",
    taskset: "",
    command: "",
    builtin: "",
    exec: "a",
    xargs: "a d E I L n P s",
    strace: "e o p s",
    watch: "n",
    unshare: "",
    busybox: "",
  }).map(([name, options]) => [name, options.split(" ").map((option) => `-${option}`)]),
);

/** What a wrapper runs; undefined where the program is none, or runs nothing. */
export function wrapped(words: string[]): string[] | undefined {
  const options = WRAPPERS.get(baseOf(words[0] ?? ""));
  if (options === undefined) return undefined;
  for (let index = 1; index < words.length; index++) {
    const word = words[index] as string;
    if (options.includes(word)) index += 1;
    // options, variables, and numbers: of seconds, of a processor
    else if (!/^-|^[A-Za-z_][A-Za-z0-9_]*=|^[0-9][0-9.,smhdx]*$/.test(word)) return words.slice(index);
  }
  return undefined;
}

/** The text of `sh -c TEXT`. */
export function shellText(words: string[]): string | undefined {
  if (!/^(ba|da|z|k|a)?sh$/.test(baseOf(words[0] ?? ""))) return undefined;
  const at = words.findIndex((word, index) => index > 0 && /^-[a-zA-Z]*c$/.test(word));
  return at === -1 ? undefined : words[at + 1];
}
