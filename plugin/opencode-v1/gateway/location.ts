// What OpenCode says about a directory: the answers of /api/fs begin with it.
import { type Static, Type } from "typebox";
import { Check } from "typebox/value";
import { RemoteError } from "../../../protocol/errors.js";
import type { Upstream } from "./forward.js";

const Location = Type.Object({
  directory: Type.String(),
  project: Type.Object({ id: Type.String(), directory: Type.String() }),
});
type Location = Static<typeof Location>;

/** A request in the first moments of a directory may stay unanswered for ever. */
const TIMEOUT_MS = 20_000;

export class LocationOf {
  readonly #upstream: Upstream;
  readonly #known = new Map<string, Location>();

  constructor(upstream: Upstream) {
    this.#upstream = upstream;
  }

  async of(directory: string, signal: AbortSignal): Promise<Location> {
    const known = this.#known.get(directory);
    if (known !== undefined) return known;
    const { port, authorization } = this.#upstream;
    const query = new URLSearchParams({ "location[directory]": directory });
    const response = await fetch(`http://127.0.0.1:${port}/api/location?${query}`, {
      headers: { authorization },
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    const location: unknown = await response.json();
    if (!Check(Location, location)) throw new RemoteError("internal", "OpenCode does not know its own directory");
    this.#known.set(directory, location);
    return location;
  }
}
