// The approver: one Ed25519 key per installation, made once. Its private half never leaves this machine.
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from "node:crypto";
import { link, open, readFile, rm, stat } from "node:fs/promises";
import { codeOf, fromSystem, RemoteError } from "../../protocol/errors.js";
import { setAside } from "./set-aside.js";
import { ensureStateDirectory, type StatePaths, unwritable } from "./state-directory.js";

export interface ApproverKey {
  /** First 16 hex digits of SHA-256 over the raw public key. */
  readonly keyID: string;
  /** 32 raw bytes. */
  readonly publicKey: Uint8Array;
  /** 64 bytes of signature over the text in UTF-8. */
  sign(text: string): Promise<Uint8Array>;
}

/** Reads the key, or makes it; any number of processes at once agree on one. `report` hears of a file that was set aside. */
export async function loadApprover(paths: StatePaths, report?: (text: string) => void): Promise<ApproverKey> {
  await ensureStateDirectory(paths);
  const file = paths.approverKey;
  for (let attempt = 0; attempt < 3; attempt++) {
    const pem = await readKey(file);
    if (pem === undefined) {
      await makeKey(file);
      continue;
    }
    const key = parseKey(pem);
    if (key !== undefined) return approver(key);
    report?.(`${file} is no Ed25519 key; it is kept as ${await setAside(file)} and a new one is made`);
  }
  throw new RemoteError("EIO", `${file} can be neither read nor made`);
}

async function readKey(file: string): Promise<string | undefined> {
  try {
    const { mode, uid } = await stat(file);
    const own = process.getuid?.();
    if (own !== undefined && (uid !== own || (mode & 0o077) !== 0)) {
      throw new RemoteError("EACCES", `${file} can be used by others than this user`, {
        hint: `if you trust it: chmod 600 ${file}`,
      });
    }
    return await readFile(file, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw fromSystem(error, `${file} cannot be read`);
  }
}

/** A complete file or none, and never a second one: a hard link fails where the name exists. */
async function makeKey(file: string): Promise<void> {
  const { privateKey } = generateKeyPairSync("ed25519");
  const temporary = `${file}.${randomBytes(8).toString("hex")}`;
  const handle = await open(temporary, "wx", 0o600).catch((error: unknown) => {
    throw unwritable(error, file);
  });
  try {
    await handle.writeFile(privateKey.export({ type: "pkcs8", format: "pem" }));
    await handle.sync();
    await link(temporary, file);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw unwritable(error, file);
  } finally {
    await handle.close();
    await rm(temporary, { force: true });
  }
}

function parseKey(pem: string): KeyObject | undefined {
  try {
    const key = createPrivateKey(pem);
    return key.asymmetricKeyType === "ed25519" ? key : undefined;
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}

function approver(key: KeyObject): ApproverKey {
  // A JWK names the raw key as `x`; the DER form has twelve bytes in front of it.
  const { x } = createPublicKey(key).export({ format: "jwk" });
  const publicKey = Buffer.from(x ?? "", "base64url");
  return {
    keyID: createHash("sha256").update(publicKey).digest("hex").slice(0, 16),
    publicKey,
    sign: async (text) => sign(null, Buffer.from(text, "utf8"), key),
  };
}
