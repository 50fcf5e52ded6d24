// A stage: inputs → one output file or directory, kept below .cache/build/<stage>/<hash of the inputs>.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { basename, join } from "node:path";

export interface BuildLog {
  /** A stage ran, or its output was found. */
  stage(name: string, how: "built" | "cached", milliseconds: number): void;
  warn(text: string): void;
}

export interface StageContext {
  /** `.cache/build` of the checkout. */
  cacheDir: string;
  log: BuildLog;
}

export interface Stage {
  name: string;
  /** Everything that the output depends on, as text or bytes; see `fileInput` for files. */
  inputs: (string | Uint8Array)[];
  /** Writes the output at the path it is given. */
  build: (out: string) => Promise<void>;
  /** How many outputs to keep, by last use. */
  keep?: number;
}

/** The path of the output, built now or before. */
export async function runStage(context: StageContext, stage: Stage): Promise<string> {
  const started = performance.now();
  const hash = createHash("sha256");
  for (const input of stage.inputs) hash.update(`${input.length}:`).update(input);
  const directory = join(context.cacheDir, stage.name);
  const out = join(directory, hash.digest("hex").slice(0, 32));
  if (existsSync(out)) {
    const now = new Date();
    await utimes(out, now, now);
    context.log.stage(stage.name, "cached", performance.now() - started);
    return out;
  }
  await mkdir(directory, { recursive: true });
  const temporary = await mkdtemp(join(directory, ".new-"));
  try {
    const made = join(temporary, "out");
    await stage.build(made);
    await rename(made, out);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  context.log.stage(stage.name, "built", performance.now() - started);
  await dropOldest(directory, stage.keep ?? 4);
  return out;
}

/** The content of a file as an input, with the name that its place in the build gives it. */
export async function fileInput(name: string, path: string): Promise<string> {
  const hash = createHash("sha256").update(await readFile(path));
  return `${name} ${hash.digest("hex")}`;
}

export function consoleLog(): BuildLog {
  return {
    stage: (name, how, milliseconds) => console.log(`${how.padEnd(6)} ${name} (${(milliseconds / 1000).toFixed(1)} s)`),
    warn: (text) => console.warn(`warning: ${text}`),
  };
}

async function dropOldest(directory: string, keep: number): Promise<void> {
  const names = (await readdir(directory)).filter((name) => !name.startsWith("."));
  const entries = await Promise.all(names.map((name) => lastUse(join(directory, name))));
  entries.sort((a, b) => b.used - a.used);
  for (const entry of entries.slice(keep)) await rm(entry.path, { recursive: true, force: true });
}

/** Another stage of the same name may just be removing it: then it is the oldest. */
async function lastUse(path: string): Promise<{ path: string; used: number }> {
  const status = await stat(path).catch(() => undefined);
  return { path, used: status?.mtimeMs ?? 0 };
}

/** What killed builds left; nothing of ours takes an hour. */
export async function dropUnfinished(cacheDir: string): Promise<void> {
  const old = Date.now() - 3_600_000;
  const names = await readdir(cacheDir, { recursive: true }).catch((): string[] => []);
  for (const name of names.filter((each) => basename(each).startsWith(".new-"))) {
    const { path, used } = await lastUse(join(cacheDir, name));
    if (used < old) await rm(path, { recursive: true, force: true });
  }
}
