// Looks at files that are wanted at the same moment travel together: the 200 reads of one turn are a few requests, not 200
// channels. A look that is alone goes alone, at once; each keeps its own answer, error, ask and abort.
import { RemoteError } from "../../../protocol/errors.js";
import type { BatchRequest, BatchResult, LookStep } from "../../../protocol/file.js";
import { abortedError } from "../../stub-client/exchange.js";

/** Requests under way at once; what is wanted meanwhile gathers behind them. */
const REQUESTS = 4;
/** Steps of one request: enough to be worth it, few enough that the first answers do not wait for the last. */
const STEPS = 200;
/** With requests under way a little more may come: not worth another request each. */
const COMPANY_MS = 1;

export type SendBatch = (body: BatchRequest, signal: AbortSignal) => Promise<BatchResult[]>;

export interface Look<T> {
  step: LookStep;
  signal: AbortSignal;
  /** The same look as a request of its own. */
  alone(): Promise<T>;
  /** From a result that is ok. */
  read(result: BatchResult): T;
}

interface Waiting extends Look<unknown> {
  resolve(value: unknown): void;
  reject(error: unknown): void;
  settled: boolean;
  /** Called when it was aborted while its request is under way. */
  left: (() => void) | undefined;
}

export class LookGatherer {
  readonly #send: SendBatch;
  #waiting: Waiting[] = [];
  #running = 0;
  #scheduled = false;

  constructor(send: SendBatch) {
    this.#send = send;
  }

  /** Rejects as the look alone would, `permission_required` included. */
  want<T>(look: Look<T>): Promise<T> {
    const { signal } = look;
    if (signal.aborted) return Promise.reject(abortedError(signal));
    return new Promise<T>((resolve, reject) => {
      const end = () => {
        signal.removeEventListener("abort", onAbort);
        waiting.settled = true;
      };
      const waiting: Waiting = {
        ...look,
        settled: false,
        left: undefined,
        resolve: (value) => {
          end();
          resolve(value as T);
        },
        reject: (error) => {
          end();
          reject(error);
        },
      };
      const onAbort = () => {
        waiting.reject(abortedError(signal));
        waiting.left?.();
      };
      signal.addEventListener("abort", onAbort, { once: true });
      this.#waiting.push(waiting);
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled || this.#running >= REQUESTS || this.#waiting.length === 0) return;
    this.#scheduled = true;
    const go = () => {
      this.#scheduled = false;
      const looks = this.#waiting.splice(0, STEPS).filter(({ settled }) => !settled);
      if (looks.length > 0) this.#start(looks);
      this.#schedule();
    };
    if (this.#running === 0) setImmediate(go);
    else setTimeout(go, COMPANY_MS);
  }

  #start(looks: Waiting[]): void {
    this.#running += 1;
    const [first] = looks;
    const work = looks.length === 1 && first !== undefined ? alone(first) : this.#together(looks);
    work
      .catch((error: unknown) => {
        for (const look of looks) if (!look.settled) look.reject(error);
      })
      .finally(() => {
        this.#running -= 1;
        this.#schedule();
      });
  }

  async #together(looks: Waiting[]): Promise<void> {
    // The request of several ends when nobody waits for any of it.
    const abandoned = new AbortController();
    const left = () => {
      if (looks.every(({ settled }) => settled)) abandoned.abort();
    };
    for (const look of looks) look.left = left;
    const steps = looks.map(({ step }) => step);
    const results = await this.#send({ steps, each: true, onAsk: "fail" }, abandoned.signal);
    if (results.length !== looks.length) {
      throw new RemoteError("internal", "the stub answered another number of steps");
    }
    const large: Waiting[] = [];
    for (const [at, look] of looks.entries()) {
      const result = results[at] as BatchResult;
      if (look.settled) continue;
      if (result.ok) settle(look, result);
      else if (result.error?.code === "answer_too_large") large.push(look);
      else if (result.error?.code === "deferred") this.#waiting.push(look);
      else look.reject(RemoteError.fromWire(result.error, 500));
    }
    for (const look of large) if (!look.settled) await alone(look);
  }
}

function settle(look: Waiting, result: BatchResult): void {
  try {
    look.resolve(look.read(result));
  } catch (error) {
    look.reject(error);
  }
}

async function alone(look: Waiting): Promise<void> {
  await look.alone().then(look.resolve, look.reject);
}
