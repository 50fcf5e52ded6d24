// One stub per install root: a lock file that names its holder. A dead holder's lock is taken over by exactly one successor, and so
// is that of a living one which agrees to it (an upgrade).
import { randomBytes } from "node:crypto";
import { link, readFile, rename, unlink, writeFile } from "node:fs/promises";
import { type Static, Type } from "typebox";
import { Check } from "typebox/value";
import { codeOf, ignoreMissing, RemoteError } from "../protocol/errors.js";
import { isAlive, ProcessName, processName } from "./process-name.js";

const Holder = Type.Object({ ...ProcessName.properties, nonce: Type.String({ pattern: "^[0-9a-f]{16}$" }) });
type Holder = Static<typeof Holder>;

const ATTEMPTS = 50;
const PAUSE_MS = 50;
/** While another one takes over from a living holder. */
const SUCCESSION_ATTEMPTS = 600;

export type LockOutcome = { acquired: true; release(): Promise<void> } | { acquired: false; holder: ProcessName };

/**
 * `path` is in a 0700 directory of ours. `succeed` asks the living holder that is there now to make room; false: it stays. Of several
 * that ask, one is heard, and the others find it as the holder. Throws `start_failed` when nobody can be made out, and what `succeed` throws.
 */
export async function acquireLock(
  path: string,
  succeed?: (holder: ProcessName) => Promise<boolean>,
): Promise<LockOutcome> {
  const self = processName(process.pid);
  if (self === undefined) throw new RemoteError("start_failed", "/proc is not mounted");
  const mine: Holder = { ...self, nonce: randomBytes(8).toString("hex") };
  const draft = `${path}.${mine.nonce}`;
  await writeFile(draft, `${JSON.stringify(mine)}\n`, { mode: 0o600, flag: "wx" });
  try {
    let first: Holder | undefined;
    for (let attempt = 0; attempt < (first === undefined ? ATTEMPTS : SUCCESSION_ATTEMPTS); attempt += 1) {
      if (await linked(draft, path)) return { acquired: true, release: () => release(path, mine) };
      const holder = await readHolder(path);
      let agreed: (() => Promise<boolean>) | undefined;
      if (holder !== undefined && isAlive(holder)) {
        if (succeed === undefined) return { acquired: false, holder };
        first ??= holder;
        if (holder.nonce !== first.nonce) return { acquired: false, holder };
        agreed = () => succeed(holder);
      }
      const taken = await takeOver(path, draft, holder, agreed);
      if (taken === "refused" && holder !== undefined) return { acquired: false, holder };
      if (taken === true) return { acquired: true, release: () => release(path, mine) };
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
async function takeOver(
  path: string,
  draft: string,
  dead: Holder | undefined,
  agreed?: () => Promise<boolean>,
): Promise<boolean | "refused"> {
  const claim = `${path}.after-${dead?.nonce ?? "damaged"}`;
  if (!(await linked(draft, claim))) {
    const claimer = await readHolder(claim);
    if (claimer === undefined || !isAlive(claimer)) await unlink(claim).catch(ignoreMissing);
    return false;
  }
  try {
    const isStill = async () => (await readHolder(path))?.nonce === dead?.nonce;
    if (!(await isStill())) return false;
    if (agreed !== undefined && !(await agreed())) return "refused";
    // A living holder may have ended meanwhile, and taken its lock along.
    if (agreed !== undefined && (await readHolder(path)) === undefined) return await linked(draft, path);
    if (!(await isStill())) return false;
    await rename(draft, path).catch(ignoreMissing);
    return true;
  } finally {
    await unlink(claim).catch(ignoreMissing);
  }
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
