// The stub's own log: JSON lines without secrets, set aside at start when it has grown.
import { chmodSync, renameSync, statSync } from "node:fs";
import { type Logger, pino } from "pino";
import { codeOf } from "../protocol/errors.js";

const ROTATE_BYTES = 5 * 1024 * 1024;

/** What waits while the disk is full; more of it is dropped. */
const WAITING_BYTES = 256 * 1024;

const SECRETS = [
  "authorization",
  "token",
  "approver",
  "headers.authorization",
  'headers["x-approver"]',
  "req.headers.authorization",
  'req.headers["x-approver"]',
  "*.token",
];

/** 0600; throws what opening the file throws. Where a line cannot be written it waits for the next: no request fails by its log. */
export function openLog(path: string): Logger {
  try {
    if (statSync(path).size > ROTATE_BYTES) renameSync(path, `${path}.1`);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
  const destination = pino.destination({
    dest: path,
    append: true,
    sync: true,
    mode: 0o600,
    maxLength: WAITING_BYTES,
  });
  // A full disk: health says so (state/room.ts), the log cannot.
  destination.on("error", () => undefined);
  chmodSync(path, 0o600);
  return pino(
    { level: "info", base: { pid: process.pid }, redact: { paths: SECRETS, censor: "[secret]" } },
    destination,
  );
}
