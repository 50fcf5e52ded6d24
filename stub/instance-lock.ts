// One stub per install root: a lock file that names its holder. A dead holder's lock is taken over by exactly one successor.
import { randomBytes } from "node:crypto";
import { link, readFile, rename, unlink, writeFile } from "node:fs/promises";
import { type Static, Type } from "typebox";
import { Check } from "typebox/value";
import { codeOf, RemoteError } from "../protocol/errors.js";
import { isAlive, ProcessName, processName } from "./process-name.js";

const Holder = Type.Object({ ...ProcessName.properties, nonce: Type.String({ pattern: "^[0-9a-f]{16}$" }) });
type Holder = Static<typeof Holder>;

const ATTEMPTS = 50;
const PAUSE_MS = 50;

export type LockOutcome = { acquired: true; release(): Promise<void> } | { acquired: false; holder: ProcessName };

/** `path` is in a 0700 directory of ours. Throws `start_failed` when nobody can be made out. */
export async function acquireLock(path: string): Promise<LockOutcome> {
  const self = processName(process.pid);
  if (self === undefined) throw new RemoteError("start_failed", "/proc is not mounted");
  const mine: Holder = { ...self, nonce: randomBytes(8).toString("hex") };
  const draft = `${path}.${mine.nonce}`;
  await writeFile(draft, `${JSON.stringify(mine)}\n`, { mode: 0o600, flag: "wx" });
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      if (await linked(draft, path)) return { acquired: true, release: () => release(path, mine) };
      const holder = await readHolder(path);
      if (holder !== undefined && isAlive(holder)) return { acquired: false, holder };
      if (await takeOver(path, draft, holder)) return { acquired: true, release: () => release(path, mine) };
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    throw new RemoteError("start_failed", `${path} cannot be acquired`, { hint: `if no stub runs, remove ${path}` });
  } finally {
    await unlink(draft).catch(ignoreMissing);
  }
}

/**
 * The claim is named after the dead holder's nonce, so of several successors one makes it, and whoever comes later finds
 * another nonce in the lock. A successor that died before its rename leaves a claim of a dead process behind.
 */
async function takeOver(path: string, draft: string, dead: Holder | undefined): Promise<boolean> {
  const claim = `${path}.after-${dead?.nonce ?? "damaged"}`;
  if (!(await linked(draft, claim))) {
    const claimer = await readHolder(claim);
    if (claimer === undefined || !isAlive(claimer)) await unlink(claim).catch(ignoreMissing);
    return false;
  }
  const now = await readHolder(path);
  const unchanged = now?.nonce === dead?.nonce;
  if (unchanged) await rename(draft, path).catch(ignoreMissing);
  await unlink(claim).catch(ignoreMissing);
  return unchanged;
}

async function release(path: string, mine: Holder): Promise<void> {
  if ((await readHolder(path))?.nonce === mine.nonce) await unlink(path).catch(ignoreMissing);
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

/** Undefined for a missing or damaged file. */
async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, "utf8"));
    return Check(Holder, value) ? value : undefined;
  } catch (error) {
    if (codeOf(error) === "ENOENT" || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function ignoreMissing(error: unknown): void {
  if (codeOf(error) !== "ENOENT") throw error;
}
