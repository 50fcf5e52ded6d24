// What the model and the user read when a call failed: what, why, what to do, and that nothing was done here instead.
import { type ErrorCode, RemoteError } from "../../protocol/errors.js";

/** The call never reached the host, or the answer never came back. */
const NOT_REACHED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "config_invalid",
  "host_unknown",
  "directory_required",
  "name_unresolved",
  "host_unreachable",
  "connect_timeout",
  "not_ssh",
  "auth_failed",
  "identity_unreadable",
  "passphrase_required",
  "passphrase_wrong",
  "host_key_unknown",
  "host_key_changed",
  "host_key_revoked",
  "no_common_algorithm",
  "channel_refused",
  "connection_lost",
  "proxy_failed",
  "platform_unsupported",
  "install_failed",
  "no_space",
  "no_inodes",
  "address_space_limited",
  "noexec",
  "upload_corrupt",
  "start_failed",
  "stub_missing",
  "stub_unhealthy",
  "impostor",
  "protocol_mismatch",
  "bundle_missing",
  "unavailable",
  "unauthorized",
]);

export function isUnreachable(error: unknown): boolean {
  return error instanceof RemoteError && NOT_REACHED.has(error.code);
}

/** The error that a tool throws; anything but our own passes as it is. */
export function toolError(error: unknown, host: string): unknown {
  if (!(error instanceof RemoteError)) return error;
  const hint = error.hint ? `\nhint: ${error.hint}` : "";
  const text = isUnreachable(error)
    ? `The host ${host} cannot be used (${error.code}): ${error.message}${hint}\nNothing was run or changed on this machine instead; every tool of this session acts on ${host} only.`
    : `${error.message} (${error.code}, on ${host})${hint}`;
  return new Error(text, { cause: error });
}
