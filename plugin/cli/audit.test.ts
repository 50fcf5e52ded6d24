import { expect, it } from "vitest";
import { parseSince } from "./audit.js";

const NOW = Date.parse("2026-03-04T12:00:00Z");

it.each([
  ["90s", NOW - 90_000],
  ["15m", NOW - 900_000],
  ["2h", NOW - 7_200_000],
  ["7d", NOW - 604_800_000],
  ["2026-03-01", Date.parse("2026-03-01")],
  ["99999999d", 0],
])("--since %s is a time", (text, expected) => {
  expect(parseSince(text, NOW)).toBe(expected);
});

it.each(["", "yesterday", "5", "-1h", "1960-01-01"])("--since %j is wrong usage", (text) => {
  expect(() => parseSince(text, NOW)).toThrow(expect.objectContaining({ code: "usage" }));
});
