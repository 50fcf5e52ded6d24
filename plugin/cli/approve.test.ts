import { expect, it } from "vitest";
import { parseReply, questionText } from "./approve.js";

it.each([
  ["o", { reply: "once" }],
  [" Once ", { reply: "once" }],
  ["a", { reply: "always" }],
  ["r", { reply: "reject" }],
  ["reject use the other one", { reply: "reject", message: "use the other one" }],
  ["", undefined],
  ["yes", undefined],
  ["on", undefined],
])("takes %j for an answer, or asks again", (typed, reply) => {
  expect(parseReply(typed)).toEqual(reply);
});

it("shows each path that an answer is for, and nothing that moves the cursor", () => {
  const ask = {
    permissionID: "per_0123456789",
    permission: "external_directory" as const,
    path: "/srv/a",
    access: "read" as const,
    paths: [{ path: "/srv/a", access: "read" as const, kind: "file" as const }],
    reason: "run cat /srv/a",
  };
  expect(questionText("box", ask)).toBe("box: read /srv/a (run cat /srv/a)");
  expect(questionText("box", { ...ask, patterns: ["/srv/a"] })).toBe("box: read /srv/a (run cat /srv/a)");
  expect(questionText("box", { ...ask, patterns: ["/srv/*", "/e\u001b"] })).toBe(
    "box: read /srv/a (run cat /srv/a)\n  always: all of /srv, /e?",
  );
  const second = { path: "/srv/\u001b[2Jb", access: "write" as const, kind: "directory" as const };
  expect(questionText("box", { ...ask, paths: [...ask.paths, second] })).toBe(
    "box: run cat /srv/a\n  read /srv/a\n  write /srv/?[2Jb",
  );
  expect(questionText("box", { ...ask, permission: "unconfined", command: "sudo true" })).toBe(
    "box: run this with nothing that holds it to what was approved\n  sudo true",
  );
});
