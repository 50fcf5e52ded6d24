// May we talk to the host that shows this key? Reads the known_hosts files of a host; there is no off switch.
import { readFileSync } from "node:fs";
import { codeOf, RemoteError } from "../../protocol/errors.js";
import { type HostKeyAlgorithm, keyType, orderAlgorithms } from "./host-key.js";
import { checkHostKey, type HostKeyVerdict, type KnownHosts, knownKeyTypes, parseKnownHosts } from "./known-hosts.js";
import type { ResolvedHost } from "./transport.js";

export interface HostTrust {
  /** To be asked for in this order. */
  algorithms: HostKeyAlgorithm[];
  /** Undefined: trusted. Else `host_key_unknown`, `host_key_changed` or `host_key_revoked`. */
  check(key: Buffer): RemoteError | undefined;
}

/** A file that is missing knows nobody; throws `host_key_unknown` for one that cannot be read. */
export function hostTrust(host: ResolvedHost): HostTrust {
  const known = readAll(host.knownHostsFiles);
  const at = {
    host: host.host,
    port: host.port,
    ...(host.hostKeyAlias === undefined ? {} : { alias: host.hostKeyAlias }),
  };
  return {
    algorithms: orderAlgorithms(knownKeyTypes(known, at)),
    check: (key) => refusal(host, keyType(key) ?? "unreadable", checkHostKey(known, at, key)),
  };
}

function readAll(files: readonly string[]): KnownHosts {
  const all: KnownHosts = { entries: [], ignored: [] };
  for (const file of files) {
    let text: string;
    try {
      text = readFileSync(file, "utf8");
    } catch (error) {
      const code = codeOf(error);
      if (code === "ENOENT" || code === "ENOTDIR") continue;
      throw new RemoteError("host_key_unknown", `${file}: cannot be read (${code})`, { cause: error });
    }
    const { entries, ignored } = parseKnownHosts(text, file);
    all.entries.push(...entries);
    all.ignored.push(...ignored);
  }
  return all;
}

function refusal(host: ResolvedHost, type: string, verdict: HostKeyVerdict): RemoteError | undefined {
  const where = host.port === 22 ? host.host : `[${host.host}]:${host.port}`;
  switch (verdict.kind) {
    case "match":
      return undefined;
    case "revoked":
      return new RemoteError(
        "host_key_revoked",
        `the ${type} key of ${where}, ${verdict.seen}, is revoked in ${verdict.file}:${verdict.line}`,
        { details: verdict },
      );
    case "changed":
      return new RemoteError(
        "host_key_changed",
        `the ${type} key of ${where} has changed: ${verdict.file}:${verdict.line} has ${verdict.expected}, the host showed ${verdict.seen}`,
        {
          details: verdict,
          hint: `if the change is legitimate, remove line ${verdict.line} of ${verdict.file}; if not, do not connect`,
        },
      );
    case "unknown": {
      const others = verdict.others.map((other) => `${other.type} at ${other.file}:${other.line}`);
      const ignored = verdict.ignored.map((line) => `${line.file}:${line.line}: ${line.reason}`);
      const notes = [...(others.length > 0 ? [`known by another key: ${others.join(", ")}`] : []), ...ignored];
      return new RemoteError(
        "host_key_unknown",
        `${where} is not in known_hosts; its ${type} key is ${verdict.seen}${notes.length > 0 ? ` (${notes.join("; ")})` : ""}`,
        {
          details: verdict,
          hint: `compare the fingerprint with its administrator's; connecting once with ssh ${sshArguments(host)} adds it`,
        },
      );
    }
  }
}

function sshArguments(host: ResolvedHost): string {
  return host.port === 22 ? `${host.user}@${host.host}` : `-p ${host.port} ${host.user}@${host.host}`;
}
