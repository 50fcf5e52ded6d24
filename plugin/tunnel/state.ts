// The states of a tunnel as data, and the only function that moves between them.
import { codeOf, type ErrorCode, type RemoteError } from "../../protocol/errors.js";

export type TunnelState =
  | { name: "idle" }
  | { name: "connecting" }
  /** `established`: it was ready before, so a passing failure means reconnecting. */
  | { name: "bootstrapping"; established: boolean }
  | { name: "ready" }
  /** `attempt` is the number of the next or current one, from 1. */
  | { name: "reconnecting"; attempt: number; reason: string }
  | { name: "failed"; error: RemoteError };

export type TunnelEvent =
  /** Somebody wants a stream. */
  | { type: "wanted" }
  /** The stub must be looked for, sent or started. */
  | { type: "stubMissing" }
  /** A proved stream is there. */
  | { type: "proved" }
  /** The connection is gone. */
  | { type: "lost"; reason: string }
  | { type: "attemptFailed"; error: RemoteError }
  | { type: "closed" };

/** Events that mean nothing in a state leave it as it is. */
export function next(state: TunnelState, event: TunnelEvent): TunnelState {
  switch (event.type) {
    case "wanted":
      return state.name === "idle" || state.name === "failed" ? { name: "connecting" } : state;
    case "stubMissing":
      if (state.name !== "connecting" && state.name !== "ready") return state;
      return { name: "bootstrapping", established: state.name === "ready" };
    case "proved":
      return state.name === "idle" || state.name === "failed" ? state : { name: "ready" };
    case "lost":
      return wasReady(state) ? { name: "reconnecting", attempt: 1, reason: event.reason } : state;
    case "attemptFailed":
      if (state.name === "idle" || state.name === "failed") return state;
      if ((state.name === "reconnecting" || wasReady(state)) && isPassing(event.error)) {
        const attempt = state.name === "reconnecting" ? state.attempt + 1 : 1;
        return { name: "reconnecting", attempt, reason: event.error.message };
      }
      return { name: "failed", error: event.error };
    case "closed":
      return { name: "idle" };
  }
}

function wasReady(state: TunnelState): boolean {
  return state.name === "ready" || (state.name === "bootstrapping" && state.established);
}

/** What a network or a rebooting host gets over by itself. Everything else needs a person, authentication above all. */
const PASSING: ReadonlySet<string | undefined> = new Set<ErrorCode>([
  "name_unresolved",
  "host_unreachable",
  "connect_timeout",
  "not_ssh",
  "proxy_failed",
  "connection_lost",
  "channel_refused",
  "timeout",
  "stub_missing",
  "stub_unhealthy",
  "upload_corrupt",
]);

const AUTHENTICATION: ReadonlySet<string | undefined> = new Set<ErrorCode>([
  "auth_failed",
  "passphrase_required",
  "passphrase_wrong",
]);

export function isPassing(error: unknown): boolean {
  return PASSING.has(codeOf(error)) && !isAuthentication(error);
}

/** True where authentication failed here or at a jump host on the way. */
export function isAuthentication(error: unknown): boolean {
  for (let each = error; each instanceof Error; each = each.cause) {
    if (AUTHENTICATION.has(codeOf(each))) return true;
  }
  return false;
}
