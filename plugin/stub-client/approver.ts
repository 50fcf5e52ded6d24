// The approver's secret for one stub instance: signed for when first needed, again when it expired,
// the key registered over SSH when the host does not know it.
import { randomBytes } from "node:crypto";
import { Check } from "typebox/value";
import { ApproverAnswer, type ApproverRequest, approverMessage } from "../../protocol/approver.js";
import { codeOf, RemoteError } from "../../protocol/errors.js";

/** This installation's Ed25519 key; the private half stays behind `sign`. */
export interface ApproverKey {
  keyID: string;
  /** 32 raw bytes. */
  publicKey: Uint8Array;
  sign(text: string): Promise<Uint8Array>;
}

/** What the approver needs of the client. */
export interface ApproverDoor {
  /** The host's clock in milliseconds and the instance that answers, by a health request. */
  clock(signal?: AbortSignal): Promise<{ time: number; instanceID: string }>;
  /** POST /approver. */
  exchange(request: ApproverRequest, signal?: AbortSignal): Promise<unknown>;
  register(keyID: string, publicKey: Uint8Array, signal?: AbortSignal): Promise<void>;
}

export class Approver {
  readonly #key: ApproverKey;
  readonly #door: ApproverDoor;
  #secret: string | undefined;
  #pending: Promise<string> | undefined;

  constructor(key: ApproverKey, door: ApproverDoor) {
    this.#key = key;
    this.#door = door;
  }

  get keyID(): string {
    return this.#key.keyID;
  }

  /** The secret where there is one; costs nothing. */
  get current(): string | undefined {
    return this.#secret;
  }

  /** The secret, signed for where there is none; callers at the same time share one exchange. */
  async secret(signal?: AbortSignal): Promise<string> {
    if (this.#secret !== undefined) return this.#secret;
    this.#pending ??= this.#obtain().finally(() => {
      this.#pending = undefined;
    });
    return await abortable(this.#pending, signal);
  }

  /** The stub refused this secret: the next use signs again. A newer one is kept. */
  forget(secret: string | undefined): void {
    if (this.#secret === secret) this.#secret = undefined;
  }

  async #obtain(): Promise<string> {
    let answer: unknown;
    try {
      answer = await this.#sign();
    } catch (error) {
      if (codeOf(error) !== "approver_unknown") throw error;
      await this.#door.register(this.#key.keyID, this.#key.publicKey);
      answer = await this.#sign();
    }
    if (!Check(ApproverAnswer, answer)) throw new RemoteError("internal", "POST /approver answered in another shape");
    this.#secret = answer.approver;
    return answer.approver;
  }

  async #sign(): Promise<unknown> {
    const { time, instanceID } = await this.#door.clock();
    const nonce = randomBytes(18).toString("base64url");
    const signature = await this.#key.sign(approverMessage({ instanceID, time, nonce }));
    return await this.#door.exchange({
      keyID: this.#key.keyID,
      instanceID,
      time,
      nonce,
      signature: Buffer.from(signature).toString("base64url"),
    });
  }
}

/** One caller's abort does not end what others wait for. */
function abortable<T>(promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(new RemoteError("aborted", "aborted", { cause: signal.reason }));
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
