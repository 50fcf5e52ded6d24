// Who may come in. Other users of the laptop reach the port, and so do web pages in the user's browser: a page's own
// requests carry its Origin, one that rebinds its name to 127.0.0.1 carries its name as Host, and neither knows the password.
import { createHash, timingSafeEqual } from "node:crypto";
import { header, type RequestHead } from "./request-head.js";

export interface Door {
  port: number;
  /** `Basic …` */
  authorization: string;
}

export interface Refusal {
  status: 401 | 403;
  reason: string;
}

/** Undefined: come in. Host and Origin are looked at first, so that no page can tell a wrong password from a right one. */
export function refusal(head: RequestHead, door: Door): Refusal | undefined {
  const names = [`127.0.0.1:${door.port}`, `localhost:${door.port}`];
  if (!names.includes(header(head, "host")?.toLowerCase() ?? "")) return { status: 403, reason: "another Host" };
  const origin = header(head, "origin")?.toLowerCase();
  if (origin !== undefined && !names.some((name) => origin === `http://${name}`)) {
    return { status: 403, reason: "another Origin" };
  }
  if (same(header(head, "authorization") ?? "", door.authorization)) return undefined;
  return { status: 401, reason: "no password, or a wrong one" };
}

export function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
}

/** In constant time, whatever the lengths. */
function same(given: string, wanted: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}
