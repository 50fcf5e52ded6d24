// One route that is answered from a host.
import type { AnchoredSession } from "./anchored-sessions.js";
import type { Answer } from "./answer.js";

/** One request for a host. */
export interface HostRequest extends Pick<AnchoredSession, "host" | "session"> {
  /** As the client spelled it. */
  anchor: string;
  query: URLSearchParams;
  /** What the route's `*` stands for, decoded. */
  rest: string;
  signal: AbortSignal;
}

export type HostRoute = (request: HostRequest) => Promise<Answer>;

/** `METHOD /path`, in lower case; a `*` at the end. */
export type HostRouteTable = Record<string, HostRoute>;
