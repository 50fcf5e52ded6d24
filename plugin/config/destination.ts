// What a user types for a host: `[user@]host[:port]`, `[v6]:port`, `ssh://user@host:port`.
import { RemoteError } from "../../protocol/errors.js";

export interface Destination {
  user: string | undefined;
  host: string;
  port: number | undefined;
}

const HOST = /^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?$/;
const V6 = /^[0-9A-Fa-f:.]+(%[A-Za-z0-9_.-]+)?$/;
/** Anything ssh itself accepts as a user, without what a shell or a terminal could take for more. */
const USER = /^[^\s@:/\\'"`$;&|<>(){}\p{Cc}-][^\s:/\\'"`$;&|<>(){}\p{Cc}]*$/u;

/** Throws `host_unknown` for anything that cannot be a host. */
export function parseDestination(text: string): Destination {
  const plain = text.replace(/^ssh:\/\//, "").replace(/\/$/, "");
  // a user may hold an @ (user@domain@host): the last one counts, as with ssh
  const at = plain.lastIndexOf("@");
  const user = at >= 0 ? plain.slice(0, at) : undefined;
  if (user !== undefined && !USER.test(user)) throw unknown(text, `"${printable(user)}" is not a user name`);
  const { host, port } = splitPort(text, plain.slice(at + 1));
  if (!isHostName(host)) throw unknown(text, `"${printable(host)}" is not a host name`);
  return { user, host, port };
}

export function isHostName(host: string): boolean {
  return host.length <= 255 && (host.includes(":") ? V6.test(host) : HOST.test(host));
}

export function parsePort(text: string): number | undefined {
  if (!/^\d{1,5}$/.test(text)) return undefined;
  const port = Number(text);
  return port >= 1 && port <= 65_535 ? port : undefined;
}

/** For messages: names may come from files and arguments, and go to a terminal. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, "?");
}

function splitPort(text: string, rest: string): { host: string; port: number | undefined } {
  const bracket = /^\[([^\]]*)\](?::(.*))?$/.exec(rest);
  const [, host = rest, number] = bracket ?? /^([^:]*):([^:]*)$/.exec(rest) ?? [];
  if (number === undefined) return { host, port: undefined };
  const port = parsePort(number);
  if (port === undefined) throw unknown(text, `"${printable(number)}" is not a port`);
  return { host, port };
}

function unknown(text: string, reason: string): RemoteError {
  return new RemoteError("host_unknown", text === "" ? "no host was named" : `${printable(text)}: ${reason}`);
}
