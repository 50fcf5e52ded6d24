// Ids that name files or appear in URLs: checked at every boundary, so that none can leave its directory.
import { Type } from "typebox";

const TAIL = "[A-Za-z0-9]{8,64}";

/** Workspace `wrk_…`, session `ses_…`, permission `per_…`; the tail is letters and digits only. */
export const WorkspaceID = Type.String({ pattern: `^wrk_${TAIL}$`, description: "wrk_ and 8-64 letters or digits" });
export const SessionID = Type.String({ pattern: `^ses_${TAIL}$`, description: "ses_ and 8-64 letters or digits" });
export const PermissionID = Type.String({ pattern: `^per_${TAIL}$`, description: "per_ and 8-64 letters or digits" });
/** OpenCode's; those of a session are in the order of their text. */
export const MessageID = Type.String({ pattern: `^msg_${TAIL}$`, description: "msg_ and 8-64 letters or digits" });
/** Chosen by the client; the same id again is the same command. */
export const CommandID = Type.String({ pattern: `^cmd_${TAIL}$`, description: "cmd_ and 8-64 letters or digits" });

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** A fresh random id, 26 characters after the prefix (about 154 bits). */
export function newID(prefix: "wrk" | "ses" | "per" | "cmd" | "pty" | "evt" | "msg" | "prt"): string {
  const bytes = globalThis.crypto.getRandomValues(new Uint8Array(26));
  let tail = "";
  for (const byte of bytes) tail += ALPHABET[byte % ALPHABET.length];
  return `${prefix}_${tail}`;
}
