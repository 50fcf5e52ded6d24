import { describe, expect, it } from "vitest";
import { commandOf, hostPath, splitHostPath } from "./host-words.js";

describe("HOST:PATH", () => {
  it.each([
    ["web", "web", undefined],
    ["web:", "web", undefined],
    ["web:/srv/app", "web", "/srv/app"],
    ["web:~/app", "web", "~/app"],
    ["web:app", "web", "~/app"],
    ["ops@web:2222", "ops@web:2222", undefined],
    ["ops@web:2222:/srv/a:b", "ops@web:2222", "/srv/a:b"],
    ["web:2222:app", "web:2222", "~/app"],
    ["[::1]:2222:/srv", "[::1]:2222", "/srv"],
    ["[::1]", "[::1]", undefined],
  ])("reads %s", (word, host, path) => {
    expect(splitHostPath(word)).toEqual({ host, path });
  });

  it("takes a relative path for one below the home, and refuses NUL", () => {
    expect(hostPath("a/../b")).toBe("~/a/../b");
    expect(() => hostPath("/a\0b")).toThrow(expect.objectContaining({ code: "usage" }));
  });
});

describe("CMD...", () => {
  it.each([["make"], ["./run.sh"], ["/usr/bin/env"], ["a=b"], ["foo:bar,baz"]])("runs %s as a program", (word) => {
    expect(commandOf([word])).toEqual({ program: word, args: [] });
  });

  it.each([["ls -la"], ["a|b"], ["echo $HOME"], ["~/run"], ["*"], ["a;b"], ["ä"]])("gives %s to the shell", (word) => {
    expect(commandOf([word])).toEqual({ command: word });
  });

  it("never gives several words to a shell, and needs at least one", () => {
    expect(commandOf(["echo", "$(reboot)", "; reboot"])).toEqual({ program: "echo", args: ["$(reboot)", "; reboot"] });
    expect(() => commandOf([])).toThrow(expect.objectContaining({ code: "usage" }));
    expect(() => commandOf([""])).toThrow(expect.objectContaining({ code: "usage" }));
  });
});
