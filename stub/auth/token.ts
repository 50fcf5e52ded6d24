// The bearer token: made once per install root, compared in constant time, and what an honest listener can prove it knows.
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { challengeMessage } from "../../protocol/approver.js";
import { codeOf, RemoteError } from "../../protocol/errors.js";

const FORM = /^[0-9a-f]{64}$/;
const BEARER = /^\s*bearer\s+(\S+)\s*$/i;
const CHALLENGE = /^[A-Za-z0-9+/=_-]{8,256}$/;

/** Reads the token file, or makes it (64 hex digits and a newline, 0600). Throws `start_failed` if it holds anything else. */
export async function loadToken(path: string): Promise<string> {
  const found = await readFile(path, "utf8").catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  });
  if (found === undefined) return makeToken(path);
  const token = found.trim();
  if (!FORM.test(token)) {
    throw new RemoteError("start_failed", `${path} does not hold 64 hex digits`, {
      hint: `remove ${path}; a new one is made`,
    });
  }
  await chmod(path, 0o600);
  return token;
}

async function makeToken(path: string): Promise<string> {
  const token = randomBytes(32).toString("hex");
  try {
    await writeFile(path, `${token}\n`, { mode: 0o600, flag: "wx" });
    return token;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return loadToken(path);
    throw error;
  }
}

export class Bearer {
  readonly #token: string;
  readonly #bytes: Buffer;

  constructor(token: string) {
    this.#token = token;
    this.#bytes = Buffer.from(token);
  }

  /** True for `Bearer TOKEN`, whitespace around the token ignored. The time taken does not depend on the content, only on its length. */
  accepts(authorization: string | undefined): boolean {
    if (authorization === undefined) return false;
    const given = Buffer.from(BEARER.exec(authorization)?.[1] ?? "");
    return given.length === this.#bytes.length && timingSafeEqual(given, this.#bytes);
  }

  /** Hex HMAC that proves knowledge of the token; undefined for a nonce of the wrong form. `port` 0: the unix socket. */
  proof(nonce: string, instanceID: string, port: number): string | undefined {
    if (!CHALLENGE.test(nonce)) return undefined;
    return createHmac("sha256", this.#token)
      .update(challengeMessage(nonce, instanceID, port))
      .digest("hex");
  }
}
