// known_hosts: what it says about a host and a key. Pure; `host-trust.ts` reads the files and turns the result into errors.
import { createHmac, timingSafeEqual } from "node:crypto";
import { matchPatternList } from "../config/pattern.js";
import { fingerprint, keyType } from "./host-key.js";

/** One line that names a key. */
export interface KnownHostsEntry {
  file: string;
  line: number;
  revoked: boolean;
  type: string;
  key: Buffer;
  /** `name` as it is looked up: lower case, `[host]:port` unless the port is 22. */
  matches(name: string): boolean;
}

/** A line that says nothing we can use. */
export interface IgnoredLine {
  file: string;
  line: number;
  reason: string;
  matches(name: string): boolean;
}

export interface KnownHosts {
  entries: KnownHostsEntry[];
  ignored: IgnoredLine[];
}

interface Place {
  file: string;
  line: number;
}

export type HostKeyVerdict =
  | ({ kind: "match" } & Place)
  /** `others`: keys of other types that are known for it. */
  | { kind: "unknown"; seen: string; others: (Place & { type: string })[]; ignored: (Place & { reason: string })[] }
  | ({ kind: "changed"; expected: string; seen: string } & Place)
  | ({ kind: "revoked"; seen: string } & Place);

export interface LookUp {
  host: string;
  port: number;
  /** HostKeyAlias: looked up as it is, without the port. */
  alias?: string;
}

export function parseKnownHosts(text: string, file: string): KnownHosts {
  const entries: KnownHostsEntry[] = [];
  const ignored: IgnoredLine[] = [];
  for (const [index, raw] of text.split("\n").entries()) {
    const trimmed = raw.trim();
    if (trimmed === "" || trimmed.startsWith("#")) continue;
    const parsed = parseLine(trimmed, file, index + 1);
    if ("reason" in parsed) ignored.push(parsed);
    else entries.push(parsed);
  }
  return { entries, ignored };
}

/**
 * What is known about this key of this host. As ssh: a port other than 22 is looked up as `[host]:port`, and only where that
 * is unknown may the same key under the bare name vouch for it. A revoked key is refused under either name.
 */
export function checkHostKey(known: KnownHosts, host: LookUp, key: Buffer): HostKeyVerdict {
  const names = lookUpNames(host);
  const seen = fingerprint(key);
  for (const name of names) {
    const revoked = known.entries.find((entry) => entry.revoked && entry.matches(name) && entry.key.equals(key));
    if (revoked !== undefined) return { kind: "revoked", seen, ...place(revoked) };
  }
  const [first, ...fallbacks] = names.map((name) => lookUp(known, name, key, seen));
  if (first?.kind === "unknown") return fallbacks.find((verdict) => verdict.kind === "match") ?? first;
  return first ?? { kind: "unknown", seen, others: [], ignored: [] };
}

/** Types of the keys that are known for it, for the order in which to ask for them. */
export function knownKeyTypes(known: KnownHosts, host: LookUp): string[] {
  const name = lookUpNames(host)[0] ?? "";
  const types = known.entries.filter((entry) => !entry.revoked && entry.matches(name)).map((entry) => entry.type);
  return [...new Set(types)];
}

function lookUp(known: KnownHosts, name: string, key: Buffer, seen: string): HostKeyVerdict {
  const entries = known.entries.filter((entry) => !entry.revoked && entry.matches(name));
  const match = entries.find((entry) => entry.key.equals(key));
  if (match !== undefined) return { kind: "match", ...place(match) };
  const type = keyType(key);
  const same = entries.find((entry) => entry.type === type);
  if (same !== undefined) return { kind: "changed", expected: fingerprint(same.key), seen, ...place(same) };
  const others = entries.map((entry) => ({ ...place(entry), type: entry.type }));
  const ignored = known.ignored.filter((line) => line.matches(name));
  return { kind: "unknown", seen, others, ignored: ignored.map(({ file, line, reason }) => ({ file, line, reason })) };
}

function lookUpNames(host: LookUp): string[] {
  if (host.alias !== undefined) return [host.alias.toLowerCase()];
  const bare = host.host.toLowerCase();
  return host.port === 22 ? [bare] : [`[${bare}]:${host.port}`, bare];
}

function place(at: Place): Place {
  return { file: at.file, line: at.line };
}

function parseLine(text: string, file: string, line: number): KnownHostsEntry | IgnoredLine {
  const words = text.split(/[ \t]+/);
  const marker = words[0]?.startsWith("@") ? words.shift() : undefined;
  const [patterns = "", type = "", base64 = ""] = words;
  const matches = matcher(patterns);
  const ignore = (reason: string): IgnoredLine => ({ file, line, reason, matches });
  if (marker === "@cert-authority") return ignore("host certificates (@cert-authority) are not supported");
  if (marker !== undefined && marker !== "@revoked") return ignore(`the marker ${marker} is not known`);
  const key = Buffer.from(base64, "base64");
  if (type === "" || keyType(key) !== type) return ignore("this is not a host key");
  return { file, line, revoked: marker === "@revoked", type, key, matches };
}

function matcher(patterns: string): (name: string) => boolean {
  if (!patterns.startsWith("|")) {
    const list = patterns.toLowerCase().split(",");
    return (name) => matchPatternList(list, name);
  }
  const [, version, salt = "", hash = ""] = patterns.split("|");
  const expected = Buffer.from(hash, "base64");
  if (version !== "1" || expected.length !== 20) return () => false;
  return (name) => {
    const actual = createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest();
    return timingSafeEqual(actual, expected);
  };
}
