// Frames of the probe and the start script as typed facts. Everything from a host is checked here, once.
import { Value } from "typebox/value";
import { RemoteError } from "../../protocol/errors.js";
import { StubJson } from "../../protocol/install.js";
import type { StubIdentity } from "../tunnel/link.js";
import type { Frames } from "./frames.js";

/** Against the file that this plugin carries. `rebuilt`: the same version, other bytes. */
export type BinaryVerdict = "missing" | "broken" | "rebuilt" | "same" | "older" | "newer" | "incompatible";
export type RunningVerdict = "none" | "same" | "older" | "newer" | "incompatible";

export interface ProbeFacts {
  /** `Linux x86_64` */
  system: string;
  /** Absolute. */
  root: string;
  home: string;
  uid: number;
  /** `ulimit -v` in KiB; null: none. */
  addressSpaceKiB: number | null;
  /** Null where df does not say. */
  freeKiB: number | null;
  freeInodes: number | null;
  binary: { verdict: BinaryVerdict; version: string | null };
  running: { verdict: RunningVerdict; identity: StubIdentity | null };
}

const BINARY: readonly string[] = ["missing", "broken", "rebuilt", "same", "older", "newer", "incompatible"];
const RUNNING: readonly string[] = ["none", "same", "older", "newer", "incompatible"];

export function parseProbe(frames: Frames): ProbeFacts {
  const [binary = "", version = "-"] = text(frames, "binary").split(" ");
  const running = text(frames, "running");
  if (!BINARY.includes(binary) || !RUNNING.includes(running)) {
    throw new RemoteError("install_failed", `the host's probe answered ${JSON.stringify({ binary, running })}`);
  }
  return {
    system: text(frames, "system"),
    root: text(frames, "root"),
    home: text(frames, "home"),
    uid: number(frames, "uid") ?? -1,
    addressSpaceKiB: number(frames, "address_space"),
    freeKiB: number(frames, "free_kib"),
    freeInodes: number(frames, "free_inodes"),
    binary: { verdict: binary as BinaryVerdict, version: version === "-" ? null : version },
    running: {
      verdict: running as RunningVerdict,
      identity: running === "none" ? null : parseIdentity(frames),
    },
  };
}

/** Of the frames `json` and `token`. Throws `stub_unhealthy`: a half-written file is not an identity. */
export function parseIdentity(frames: Frames): StubIdentity {
  const json = parseJson(text(frames, "json"));
  // The file ends with a newline that is no part of the token.
  const token = text(frames, "token");
  if (!Value.Check(StubJson, json)) throw unreadable("run/stub.json");
  if (!/^[0-9a-f]{64}$/.test(token)) throw unreadable("run/stub.token");
  const { instanceID, version, pid, port, socket } = json;
  return { token, instanceID, version, pid, port, socket };
}

function parseJson(source: string): unknown {
  try {
    return JSON.parse(source);
  } catch (error) {
    throw unreadable("run/stub.json", error);
  }
}

function unreadable(file: string, cause?: unknown): RemoteError {
  return new RemoteError("stub_unhealthy", `${file} on the host is missing or does not parse`, {
    hint: "end the stub (opencode-remote-ssh stop HOST) and connect again",
    cause,
  });
}

function text(frames: Frames, name: string): string {
  const frame = frames.get(name);
  if (frame === undefined) throw new RemoteError("install_failed", `the host's answer lacks ${name}`);
  return frame.text.trim();
}

function number(frames: Frames, name: string): number | null {
  const value = frames.get(name)?.text.trim() ?? "";
  return /^\d+$/.test(value) ? Number(value) : null;
}
