// From what ssh2, node and servers report to the codes of the catalogue. The only file that looks at ssh2's texts, and
// only where it gives nothing else; test/ssh holds each against a real server.
import { codeOf, RemoteError } from "../../../protocol/errors.js";
import { printable } from "../../config/destination.js";
import type { ResolvedHost } from "../transport.js";
import type { Greeting } from "./greeting.js";

export function destinationOf(host: ResolvedHost): string {
  return `${host.user}@${host.host.includes(":") ? `[${host.host}]` : host.host}:${host.port}`;
}

export function abortedError(signal: AbortSignal | undefined): RemoteError {
  return new RemoteError("aborted", "aborted", { cause: signal?.reason });
}

/** What the laptop's own network says; EINVAL is Linux's answer for a blackhole route. */
const NO_WAY: Record<string, string> = {
  EHOSTUNREACH: "no route to this host",
  ENETUNREACH: "no route to its network",
  ENETDOWN: "the network is down",
  EHOSTDOWN: "the host is down",
  EADDRNOTAVAIL: "this machine has no address to reach it from",
  EACCES: "a firewall of this machine refuses it",
  EPERM: "a firewall of this machine refuses it",
  ECONNRESET: "the connection was reset",
  EINVAL: "no way there (EINVAL)",
};

/** A TCP connection that did not come about. */
export function dialError(host: ResolvedHost, error: unknown): RemoteError {
  const code = codeOf(error);
  const at = `${host.host}:${host.port}`;
  const details = { host: host.host, port: host.port, errno: code };
  switch (code) {
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "EAI_FAIL":
    case "EAI_NODATA":
    case "EAI_NONAME": {
      const hint = host.didYouMean === undefined ? {} : { hint: `did you mean ${host.didYouMean}?` };
      return new RemoteError("name_unresolved", `${host.host}: the name does not resolve`, {
        details,
        cause: error,
        ...hint,
      });
    }
    case "ETIMEDOUT":
      return new RemoteError("connect_timeout", `${at}: no answer`, { details, cause: error });
    case "ECONNREFUSED":
      return new RemoteError("host_unreachable", `${at}: the connection was refused`, { details, cause: error });
    default: {
      const words = code === undefined ? "not reachable" : (NO_WAY[code] ?? code);
      return new RemoteError("host_unreachable", `${at}: ${words}`, { details, cause: error });
    }
  }
}

export type Stage = "greeting" | "key exchange" | "authentication";

export interface HandshakeContext {
  host: ResolvedHost;
  stage: Stage;
  greeting: Greeting;
}

/** An error event of ssh2, or the end of the connection (no error), before the login was accepted. */
export function handshakeError(context: HandshakeContext, error?: Error): RemoteError {
  const { host, stage, greeting } = context;
  const at = `${host.host}:${host.port}`;
  const server = greeting.software === undefined ? {} : { server: greeting.software };
  if (stage === "greeting" && greeting.software === undefined) {
    const said = greeting.bytes === 0 ? "closed the connection without a word" : `said "${greeting.start}"`;
    const hint =
      greeting.bytes === 0 ? { hint: "not an SSH server, or one that turns us away now; check -p PORT" } : {};
    return new RemoteError("not_ssh", `${at} is not an SSH server: it ${said}`, { cause: error, ...hint });
  }
  const missing = error === undefined || levelOf(error) !== "handshake" ? undefined : missingAlgorithm(error);
  if (missing !== undefined) {
    const offered = greeting.offers?.[missing];
    return new RemoteError(
      "no_common_algorithm",
      `${at} accepts only ${missing} algorithms that ssh2 does not have here${offered ? `: ${offered.join(", ")}` : ""}`,
      { details: { kind: missing, offered, ...server }, cause: error },
    );
  }
  const lost = error !== undefined && levelOf(error) === "client-socket";
  if (stage === "authentication" && !lost) {
    // a server that hangs up here has had enough of our attempts: trying again could lock the account
    const text = error === undefined ? "it closed the connection" : printable(error.message);
    return new RemoteError("auth_failed", `${destinationOf(host)} refused the login: ${text}`, {
      cause: error,
      details: server,
    });
  }
  const reason = error === undefined ? "closed by the host" : printable(error.message);
  return new RemoteError("connection_lost", `${at}: the connection ended during ${stage}: ${reason}`, {
    cause: error,
    details: { stage, ...server },
    hint: "try again; ssh -v HOST shows more",
  });
}

export type AlgorithmKind = "key exchange" | "host key" | "cipher" | "mac" | "compression";

/** ssh2 says which list had nothing in common by its text only: "Handshake failed: no matching C->S cipher". */
function missingAlgorithm(error: Error): AlgorithmKind | undefined {
  const text = /no matching (.*)$/.exec(error.message)?.[1]?.toLowerCase();
  if (text === undefined) return undefined;
  if (text.includes("key exchange")) return "key exchange";
  if (text.includes("host key")) return "host key";
  if (text.includes("cipher")) return "cipher";
  if (text.includes("mac")) return "mac";
  return "compression";
}

/** Where an error of ssh2 came from: `client-socket`, `handshake`, `protocol`, `client-authentication`, `agent`… */
export function levelOf(error: Error): string | undefined {
  return "level" in error && typeof error.level === "string" ? error.level : undefined;
}

/** The connection of an open transport is gone. */
export function lostError(host: ResolvedHost, error: Error | undefined): RemoteError {
  const reason = error === undefined ? "closed by the host" : printable(error.message);
  return new RemoteError("connection_lost", `the connection to ${destinationOf(host)} was lost: ${reason}`, {
    cause: error,
  });
}

/** Refusals carry `details {reason}`: 1 forbidden, 2 failed, 3 unknown kind of channel, 4 out of resources (RFC 4254). */
export function channelError(what: string, error: Error): RemoteError {
  const reason = refusalReason(error);
  const words =
    reason === undefined ? undefined : ["", "forbidden", "failed", "not supported", "out of resources"][reason];
  return new RemoteError("channel_refused", `the host refused ${what}: ${words ?? printable(error.message)}`, {
    details: { reason },
    cause: error,
  });
}

export function refusalReason(error: unknown): number | undefined {
  if (typeof error !== "object" || error === null || !("reason" in error)) return undefined;
  return typeof error.reason === "number" ? error.reason : undefined;
}
