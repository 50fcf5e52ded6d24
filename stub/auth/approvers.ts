// Approvers: client installations whose public key was registered over SSH. A signature buys a short-lived secret, which
// only this stub instance knows and which dies with it.
import { createHash, createPublicKey, type KeyObject, randomBytes, verify } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type ApproverAnswer, type ApproverRequest, approverMessage } from "../../protocol/approver.js";
import { codeOf, RemoteError } from "../../protocol/errors.js";
import { sha256 } from "../sha256.js";

const TTL_MS = 15 * 60 * 1000;
const CLOCK_SKEW_MS = 5 * 60 * 1000;
/** A signature is used once, also where the host's clock is set back by a day in between. */
const NONCE_MS = 25 * 60 * 60 * 1000;
/** DER of a SubjectPublicKeyInfo for Ed25519, up to the 32 raw bytes. */
const ED25519_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

export interface ApproversOptions {
  /** state/approvers: `<keyID>.pub` holds base64 of the 32 raw bytes. */
  directory: string;
  instanceID: string;
  /** Milliseconds since the epoch: what signed times are compared with. */
  now?: (() => number) | undefined;
  /** Milliseconds of a clock that nobody sets: what secrets live by. */
  uptime?: (() => number) | undefined;
}

export class Approvers {
  readonly #options: ApproversOptions;
  readonly #now: () => number;
  readonly #uptime: () => number;
  /** By the SHA-256 of the secret, so that looking one up compares nothing secret byte by byte. */
  readonly #secrets = new Map<string, { keyID: string; expiresAt: number }>();
  /** Nonce → uptime at which it may be forgotten. */
  readonly #nonces = new Map<string, number>();

  constructor(options: ApproversOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#uptime = options.uptime ?? (() => performance.now());
  }

  /** Throws `approver_unknown` (no such key here), `approver_required` (wrong signature, instance, time or a used nonce). */
  async exchange(request: ApproverRequest): Promise<ApproverAnswer> {
    const now = this.#now();
    const uptime = this.#uptime();
    this.#forget(uptime);
    const key = await this.#publicKey(request.keyID);
    if (request.instanceID !== this.#options.instanceID) {
      throw new RemoteError("approver_required", "this was signed for another stub instance");
    }
    if (Math.abs(now - request.time) > CLOCK_SKEW_MS) {
      throw new RemoteError("approver_required", "the signed time is more than 5 minutes off this host's clock", {
        hint: "sign with the time of the host: the Date header of any answer",
      });
    }
    const message = Buffer.from(approverMessage(request));
    if (!verify(null, message, key, Buffer.from(request.signature, "base64url"))) {
      throw new RemoteError("approver_required", "the signature does not fit the registered key");
    }
    const nonce = `${request.keyID}/${request.nonce}`;
    if (this.#nonces.has(nonce)) throw new RemoteError("approver_required", "this signature was used before");
    this.#nonces.set(nonce, uptime + NONCE_MS);
    const secret = randomBytes(32).toString("base64url");
    this.#secrets.set(digest(secret), { keyID: request.keyID, expiresAt: uptime + TTL_MS });
    return { approver: secret, keyID: request.keyID, expiresAt: now + TTL_MS };
  }

  /** The key id behind a secret; each use moves its end on. Throws `approver_expired`. */
  identify(secret: string): string {
    const now = this.#uptime();
    const entry = this.#secrets.get(digest(secret));
    if (entry === undefined || entry.expiresAt <= now) {
      this.#forget(now);
      throw new RemoteError("approver_expired", "this approver secret is not, or no longer, valid");
    }
    entry.expiresAt = now + TTL_MS;
    return entry.keyID;
  }

  end(secret: string): void {
    this.#secrets.delete(digest(secret));
  }

  #forget(now: number): void {
    for (const [secret, entry] of this.#secrets) if (entry.expiresAt <= now) this.#secrets.delete(secret);
    for (const [nonce, until] of this.#nonces) if (until <= now) this.#nonces.delete(nonce);
  }

  async #publicKey(keyID: string): Promise<KeyObject> {
    const unknown = (why: string) => new RemoteError("approver_unknown", `${why}: ${keyID}`);
    const text = await readFile(join(this.#options.directory, `${keyID}.pub`), "utf8").catch((error: unknown) => {
      if (codeOf(error) === "ENOENT") throw unknown("no such approver is registered");
      throw error;
    });
    const raw = Buffer.from(text.trim(), "base64");
    if (raw.length !== 32 || keyIDOf(raw) !== keyID) throw unknown("the registered key does not fit its id");
    return createPublicKey({ key: Buffer.concat([ED25519_PREFIX, raw]), format: "der", type: "spki" });
  }
}

/** First 16 hex digits of SHA-256 over the 32 raw bytes. */
function keyIDOf(raw: Uint8Array): string {
  return createHash("sha256").update(raw).digest("hex").slice(0, 16);
}

function digest(secret: string): string {
  return sha256(secret, "hex");
}
