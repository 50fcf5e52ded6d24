// The one catalogue of errors, of both sides. Branch on `code`, never on message text.

interface Entry {
  /** HTTP status where the stub answers with it; on the laptop it only sorts (4xx: the caller's to mend). */
  status: number;
  /** What a person can do about it; overridden where the thrower knows better. */
  hint?: string;
}

export const ERRORS = {
  // what a request can get wrong
  usage: { status: 400, hint: "see --help" },
  invalid_request: { status: 400, hint: "see docs/protocol.md for the shape of this request" },
  invalid_id: { status: 400, hint: "ids are a prefix (wrk_, ses_, per_, cmd_), then 8-64 letters or digits" },
  invalid_path: { status: 400, hint: "give an absolute path of the host, without NUL" },
  workspace_required: { status: 400, hint: "name the workspace: ?workspace=wrk_… or the header x-workspace" },
  body_too_large: { status: 413, hint: "split it; large files go through PUT /file/content" },
  deferred: { status: 503, hint: "the answer was full before this step: send the step again" },
  answer_too_large: { status: 413, hint: "ask for it alone, or in ranges" },
  unsupported_media_type: { status: 415, hint: "send application/json" },
  not_found: { status: 404, hint: "see docs/protocol.md for the endpoints" },
  workspace_unknown: { status: 404, hint: "GET /experimental/workspace lists them" },
  session_unknown: { status: 404, hint: "GET /session lists them" },
  command_unknown: { status: 404 },
  pty_unknown: { status: 404, hint: "it was removed, or its stub was restarted; open another" },
  permission_unknown: { status: 404, hint: "GET /permission lists what is pending" },
  workspace_exists: { status: 409, hint: "choose another id, or use the workspace that is there" },
  session_exists: { status: 409, hint: "choose another id, or use the session that is there" },
  permission_replied: { status: 409, hint: "an ask is answered once; ask again by repeating the request" },
  command_conflict: { status: 409, hint: "this commandID belongs to another command; use a new one" },
  command_lost: { status: 410, hint: "see log/stub.log on the host; what it printed before is still in its log" },
  output_dropped: { status: 410, hint: "details say which bytes are gone; ask again from behind the last of them" },
  stdin_none: { status: 409, hint: 'start the command with stdin: "pipe"' },
  stdin_closed: { status: 409, hint: "the command has ended, or reads no more; details say how much it was given" },
  stdin_superseded: {
    status: 409,
    hint: "one request at a time; ask for the offset with an empty one and go on there",
  },
  stdin_gap: { status: 409, hint: "bytes are missing before this offset; details say where to go on" },
  conflict: { status: 409, hint: "the file changed since it was read; read it again" },
  state_newer: { status: 409, hint: "update the plugin: a newer stub wrote this" },
  answer_lost: { status: 409, hint: "look what is there before you do it again" },
  pty_limit: { status: 429, hint: "close a terminal first" },
  git_missing: { status: 501, hint: "install git on the host" },
  git_refused: {
    status: 403,
    hint: "on the host: git config --global --add safe.directory DIRECTORY, if you trust it",
  },
  unsupported: { status: 501, hint: "not built yet" },
  // who may ask
  unauthorized: { status: 401, hint: "the token is in run/stub.token of the host's install root" },
  approver_required: { status: 403, hint: "sign POST /approver and send the secret as x-approver" },
  approver_unknown: {
    status: 403,
    hint: "this installation's key is not registered on the host; connect once over SSH",
  },
  approver_expired: { status: 403, hint: "get a new secret from POST /approver" },
  approver_foreign: { status: 403, hint: "this workspace belongs to another installation" },
  foreign_origin: { status: 403, hint: "browsers are not served" },
  // paths
  permission_required: { status: 403, hint: "reply to the ask, then send the same request with permissionID" },
  permission_rejected: { status: 403, hint: "the user rejected this path" },
  root_refused: { status: 400, hint: "name a directory below the home, for example ~/project" },
  enforcement_unavailable: {
    status: 403,
    hint: "approve this one run as unconfined, or make the workspace with enforcement best",
  },
  cwd_missing: { status: 400, hint: "create the directory first, or name one that exists" },
  // node's own codes, as they are
  ENOENT: { status: 404 },
  EACCES: { status: 403, hint: "the host's own file permissions refuse this" },
  EPERM: { status: 403 },
  EEXIST: { status: 409 },
  EISDIR: { status: 400 },
  ENOTDIR: { status: 400 },
  ENOTEMPTY: { status: 409 },
  ELOOP: { status: 400 },
  ENAMETOOLONG: { status: 400 },
  EXDEV: { status: 400 },
  EROFS: { status: 403 },
  EINVAL: { status: 400 },
  EBUSY: { status: 409 },
  EMFILE: { status: 503, hint: "the host's limit of open files is reached; see ulimit -n there" },
  ETXTBSY: { status: 409 },
  ENOSPC: { status: 507, hint: "the host's disk is full" },
  EDQUOT: { status: 507, hint: "the quota on the host is used up" },
  EFBIG: { status: 413 },
  EIO: { status: 500 },
  // the stub itself
  internal: { status: 500, hint: "see log/stub.log on the host" },
  stub_draining: { status: 503, hint: "nothing was done; send the same request again, the next stub answers it" },
  unavailable: { status: 503, hint: "the stub is ending; connect again" },
  confine_failed: { status: 500, hint: "nothing ran; doctor HOST tries what this host can enforce" },
  spawn_failed: { status: 500, hint: "see log/stub.log on the host" },
  helper_damaged: {
    status: 500,
    hint: "nothing ran; start the stub's file with --probe on the host: it unpacks its parts anew",
  },
  // laptop: configuration
  config_invalid: { status: 400, hint: "correct the named entry in opencode.json" },
  host_unknown: { status: 400, hint: "opencode-remote-ssh hosts lists the hosts; or give user@host[:port]" },
  directory_required: { status: 400, hint: "give HOST:PATH, or set `directory` for this host" },
  // laptop: the connection
  name_unresolved: { status: 502, hint: "check the spelling, or HostName in ~/.ssh/config" },
  host_unreachable: { status: 502, hint: "check the network, the address and the port" },
  connect_timeout: { status: 504, hint: "check the address, a firewall, or raise tunnel.connectTimeoutMs" },
  not_ssh: { status: 502, hint: "something answers on this port that is not an SSH server; check -p PORT" },
  auth_failed: { status: 401, hint: "check the user name and which key the host knows; ssh -v HOST shows more" },
  identity_unreadable: { status: 400, hint: "check the path and the permissions of the identity file" },
  passphrase_required: { status: 401, hint: "ssh-add the key, or run opencode-remote-ssh in a terminal" },
  passphrase_wrong: { status: 401, hint: "the passphrase does not open this key" },
  host_key_unknown: { status: 403, hint: "connect once with ssh HOST and compare the fingerprint" },
  host_key_changed: { status: 403, hint: "if the change is legitimate, remove the named line; if not, do not connect" },
  host_key_revoked: { status: 403, hint: "this host key is marked @revoked; ask the host's administrator" },
  no_common_algorithm: { status: 502, hint: "this server accepts only algorithms that ssh2 does not have" },
  channel_refused: { status: 502 },
  connection_lost: { status: 502, hint: "reconnecting happens by itself; the command goes on at the host" },
  proxy_failed: { status: 502, hint: "check ProxyJump: connect to the jump host first" },
  // laptop: bootstrap
  platform_unsupported: { status: 400, hint: "hosts are Linux on x86_64" },
  install_failed: { status: 500 },
  no_space: { status: 507, hint: "free space on the host, or set installRoot to another file system" },
  no_inodes: { status: 507, hint: "the file system has no free inodes; remove files, or set installRoot" },
  address_space_limited: { status: 500, hint: "the host limits `ulimit -v`; the stub needs 1.5 GB of address space" },
  noexec: { status: 500, hint: "the file system is mounted noexec; set installRoot to one that is not" },
  upload_corrupt: { status: 502, hint: "the uploaded file has another hash; try again" },
  start_failed: { status: 500, hint: "see log/stub.log on the host" },
  stub_missing: { status: 502 },
  stub_unhealthy: { status: 502, hint: "see log/stub.log on the host" },
  impostor: { status: 403, hint: "another program listens in the stub's place; the token was not sent" },
  protocol_mismatch: { status: 502, hint: "update the plugin: the host runs a newer, incompatible stub" },
  bundle_missing: { status: 500, hint: "run npm run build" },
  // laptop: our own standard input and output
  input_failed: { status: 500, hint: "standard input could not be read here; the command was ended" },
  output_failed: { status: 500, hint: "the output could not be written here: a full disk, or a terminal that is gone" },
  // laptop: OpenCode
  opencode_missing: { status: 500, hint: "npm install -g opencode-ai@1.18.33" },
  opencode_version: { status: 500, hint: "npm install -g opencode-ai@1.18.33" },
  // both
  aborted: { status: 499 },
  timeout: { status: 504 },
} as const satisfies Record<string, Entry>;

export type ErrorCode = keyof typeof ERRORS;

/** The body of every error answer. */
export interface WireError {
  code: string;
  message: string;
  hint?: string;
  details?: unknown;
}

export interface RemoteErrorOptions {
  hint?: string;
  details?: unknown;
  cause?: unknown;
}

/** Every error that crosses a boundary of this project. `code` is one of the catalogue. */
export class RemoteError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: unknown;
  override readonly name = "RemoteError";

  constructor(code: ErrorCode, message: string, options: RemoteErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    const entry: Entry = ERRORS[code];
    this.hint = options.hint ?? entry.hint;
    this.details = options.details;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  toWire(): WireError {
    return {
      code: this.code,
      message: this.message,
      ...(this.hint === undefined ? {} : { hint: this.hint }),
      ...(this.details === undefined ? {} : { details: this.details }),
    };
  }

  /** Parses an error answer; an unknown code (a newer stub) becomes `internal`, its own code kept in the message. */
  static fromWire(body: unknown, status: number): RemoteError {
    if (isWireError(body)) {
      const options = { hint: body.hint, details: body.details } as RemoteErrorOptions;
      if (isErrorCode(body.code)) return new RemoteError(body.code, body.message, options);
      return new RemoteError("internal", `${body.code}: ${body.message}`, options);
    }
    return new RemoteError("internal", `the stub answered ${status} without an error body`);
  }
}

export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === "string" && Object.hasOwn(ERRORS, code);
}

/** The `code` of any thrown value, ours or node's; undefined where there is none. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** For `.catch`: what is not there (ENOENT) is no failure; everything else is thrown again. */
export function ignoreMissing(error: unknown): undefined {
  if (codeOf(error) !== "ENOENT") throw error;
}

/** A node system error as ours: same code where the catalogue has it, else `fallback`. */
export function fromSystem(error: unknown, message: string, fallback: ErrorCode = "EIO"): RemoteError {
  if (error instanceof RemoteError) return error;
  const code = codeOf(error);
  return new RemoteError(isErrorCode(code) ? code : fallback, message, { cause: error });
}

function isWireError(body: unknown): body is WireError {
  return (
    typeof body === "object" &&
    body !== null &&
    typeof (body as WireError).code === "string" &&
    typeof (body as WireError).message === "string"
  );
}
