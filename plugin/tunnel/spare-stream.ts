// The stream that the proof left open: the first request takes it and saves a round trip.
import type { Duplex } from "node:stream";
import { SPARE_STREAM_MS } from "./constants.js";

export class SpareStream {
  #spare: { stream: Duplex; since: number } | undefined;

  put(stream: Duplex | undefined): void {
    this.drop();
    if (stream !== undefined) this.#spare = { stream, since: Date.now() };
  }

  /** Undefined where there is none, or none that can be trusted to be alive. */
  take(): Duplex | undefined {
    const spare = this.#spare;
    this.#spare = undefined;
    if (spare === undefined) return undefined;
    const { stream, since } = spare;
    if (!stream.destroyed && !stream.readableEnded && Date.now() - since < SPARE_STREAM_MS) return stream;
    stream.destroy();
    return undefined;
  }

  drop(): void {
    this.#spare?.stream.destroy();
    this.#spare = undefined;
  }
}
