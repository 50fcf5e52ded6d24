import { describe, expect, it } from "vitest";
import { importsOf } from "./imports-of.js";
import { refuse } from "./rules.js";

describe("what a file imports", () => {
  it("is found in every form, types too", () => {
    const text = `
      import type { A } from "./a.js";
      import { type B } from "../b.js";
      export { c } from "./c.js";
      export * from "d";
      const e = await import("./e.js");
    `;
    expect(importsOf("plugin/ssh/x.ts", text)).toEqual([
      "plugin/ssh/a.ts",
      "plugin/b.ts",
      "plugin/ssh/c.ts",
      "d",
      "plugin/ssh/e.ts",
    ]);
  });

  it("is not guessed from text that does not parse", () => {
    expect(() => importsOf("a.ts", "import {")).toThrow("a.ts");
  });
});

describe("the import directions", () => {
  it.each([
    ["plugin/ssh/connect.ts", "stub/app.ts"],
    ["stub/app.ts", "plugin/ssh/connect.ts"],
    ["protocol/health.ts", "stub/app.ts"],
    ["protocol/health.ts", "node:fs"],
    ["stub/routes/file.ts", "stub/routes/find.ts"],
    ["plugin/opencode-v1/bash.ts", "plugin/stub-client/client.ts"],
    ["plugin/cli/exec.ts", "plugin/ssh/connect.ts"],
    ["plugin/ssh/connect.ts", "plugin/tunnel/tunnel.ts"],
    ["plugin/runner/ssh/session.ts", "plugin/tunnel/tunnel.ts"],
    ["plugin/gateway/serve.ts", "plugin/runner/runner.ts"],
    ["plugin/ssh/connect.ts", "test/ssh/fixtures/sshd.ts"],
  ])("refuse that %s imports %s", (from, to) => {
    expect(refuse({ from, to })).toBeTypeOf("string");
  });

  it.each([
    ["plugin/ssh/connect.ts", "protocol/errors.ts"],
    ["plugin/ssh/connect.ts", "node:net"],
    ["plugin/compose.ts", "plugin/ssh/connect.ts"],
    ["plugin/cli/main.ts", "plugin/ssh/connect.ts"],
    ["plugin/runner/ssh/session.ts", "plugin/tunnel/link.ts"],
    ["stub/routes/file.ts", "stub/files/read.ts"],
    ["protocol/health.ts", "typebox"],
    ["protocol/command.ts", "protocol/ids.ts"],
  ])("let %s import %s", (from, to) => {
    expect(refuse({ from, to })).toBeUndefined();
  });
});
