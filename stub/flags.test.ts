import { describe, expect, it } from "vitest";
import { parseFlags } from "./flags.js";

const defaults = { home: "/home/u", parts: undefined };

describe("the flags", () => {
  it("place everything below the install root, which is found from the unpack directory", () => {
    const flags = parseFlags([], { home: "/home/u", parts: "/data/root/bin/0.1.0-abc" });
    expect(flags).toMatchObject({
      installRoot: "/data/root",
      socket: "/data/root/run/stub.sock",
      tokenFile: "/data/root/run/stub.token",
      approvers: "/data/root/state/approvers",
      auditFile: "/data/root/log/audit.log",
      listen: { host: "127.0.0.1", port: 0 },
    });
    expect(parseFlags([], defaults).installRoot).toBe("/home/u/.opencode-remote-ssh");
    expect(parseFlags(["--install-root", "~/x", "--socket", "/run/s"], defaults)).toMatchObject({
      installRoot: "/home/u/x",
      socket: "/run/s",
      logFile: "/home/u/x/log/stub.log",
    });
  });

  it("listen on loopback only, and refuse what they do not know", () => {
    for (const args of [
      ["--listen", "0.0.0.0:1"],
      ["--listen", "127.0.0.1"],
      ["--listen", "127.0.0.1:70000"],
      ["--idle-exit", "x"],
      ["--log-cap", "1k"],
      ["--log-cap", "100"],
      ["--idle-exit", "0"],
      ["--unknown"],
      ["stray"],
    ]) {
      expect(() => parseFlags(args, defaults), args.join(" ")).toThrow(expect.objectContaining({ code: "usage" }));
    }
    expect(parseFlags(["--listen", "[::1]:80"], defaults).listen).toEqual({ host: "::1", port: 80 });
  });
});
