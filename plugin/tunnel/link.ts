// What the stub client needs of a connection, and all it knows of it: streams that lead to the right stub.
import type { Duplex } from "node:stream";
import type { ConnectionState, RunnerProgress } from "../runner/runner.js";

/** Read from run/stub.json and run/stub.token over SSH; cached in hosts.json for the warm path. */
export interface StubIdentity {
  token: string;
  instanceID: string;
  version: string;
  pid: number;
  /** TCP port on the host's loopback. */
  port: number;
  /** Path of the unix socket on the host. */
  socket: string;
}

export interface StubLink {
  /** Name of the host for messages. */
  readonly host: string;
  readonly state: ConnectionState;
  /** Calls back on each change until disposed. */
  onProgress(listener: (progress: RunnerProgress) => void): { [Symbol.dispose](): void };
  /** Connects when idle, waits while reconnecting. Throws RemoteError; authentication is never retried by itself. */
  ready(signal?: AbortSignal): Promise<StubIdentity>;
  /**
   * A stream that carries HTTP/1.1 to the stub of `ready()`. The caller may send the token on it at once:
   * it is the unix socket of our own directory, or a TCP connection that has proved itself already.
   */
  openStream(signal?: AbortSignal): Promise<Duplex>;
  /** The stub refused the token or showed another instance id: read both again over SSH. */
  refresh(signal?: AbortSignal): Promise<StubIdentity>;
  /** Writes the public half (32 raw bytes) to state/approvers/<keyID>.pub on the host, as base64 with a newline. */
  registerApprover(keyID: string, publicKey: Uint8Array, signal?: AbortSignal): Promise<void>;
  /** Idempotent; the stub goes on. */
  close(): Promise<void>;
}
