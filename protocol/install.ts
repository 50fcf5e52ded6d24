// Where things lie below the install root on the host (default ~/.opencode-remote-ssh, 0700; files 0600).
import { type Static, Type } from "typebox";

export const DEFAULT_INSTALL_ROOT = "~/.opencode-remote-ssh";
export const STUB_NAME = "opencode-remote-ssh-stub";

export const INSTALL = {
  binary: `bin/${STUB_NAME}`,
  token: "run/stub.token",
  pid: "run/stub.pid",
  socket: "run/stub.sock",
  json: "run/stub.json",
  log: "log/stub.log",
  audit: "log/audit.log",
  state: "state",
  approvers: "state/approvers",
  version: "version",
} as const;

/** A unix socket path longer than this cannot be bound (sun_path, without its NUL). */
export const SOCKET_PATH_MAX = 107;

/** run/stub.json, written when the stub listens. */
export const StubJson = Type.Object({
  pid: Type.Integer(),
  /** Field 22 of /proc/PID/stat: with the pid it names one process for ever. */
  startTime: Type.String(),
  port: Type.Integer(),
  socket: Type.String(),
  instanceID: Type.String(),
  version: Type.String(),
  protocol: Type.Object({ major: Type.Integer(), minor: Type.Integer() }),
});
export type StubJson = Static<typeof StubJson>;

/** dist/stub/manifest.json. */
export const Manifest = Type.Object({
  version: Type.String(),
  node: Type.String(),
  stubs: Type.Record(
    Type.String({ description: "linux-x64, linux-arm64" }),
    Type.Object({
      file: Type.String(),
      sha256: Type.String(),
      size: Type.Integer(),
      /** Bytes that the first start unpacks beside it. */
      unpackedSize: Type.Integer(),
    }),
  ),
});
export type Manifest = Static<typeof Manifest>;
