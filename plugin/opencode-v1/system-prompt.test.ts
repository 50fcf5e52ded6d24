import { describe, expect, it } from "vitest";
import type { HostFacts } from "../runner/runner.js";
import { systemForHost } from "./system-prompt.js";

const ANCHOR = "/home/me/.local/state/opencode-remote-ssh/anchors/0a1b2c3d/prod/srv/app";
const SYSTEM = `You are powered by fake.
<env>
  Working directory: ${ANCHOR}
  Workspace root folder: /
  Is directory a git repo: no
  Platform: darwin
  Today's date: Sat Nov 21 2026
</env>
Instructions from: /home/me/.config/opencode/AGENTS.md
Be brief. See ${ANCHOR}/x.`;

const facts: HostFacts = {
  hostname: "web1",
  platform: "linux",
  arch: "x64",
  directory: "/srv/app",
  home: "/home/ops",
  user: "ops",
  enforcement: { level: "static", ask: false, landlockAbi: 0, gaps: [] },
  stub: null,
  instructions: [{ path: "/srv/app/AGENTS.md", text: "Use tabs." }],
};

describe("what the model is told about where it works", () => {
  const place = { host: "prod", directory: "~/app", anchors: [ANCHOR], facts };

  it("is on the host, in its directory, with its platform", () => {
    const [text = ""] = systemForHost([SYSTEM], place);
    expect(text).toContain("Working directory: /srv/app\n");
    expect(text).toContain("Host: prod (ops@web1, x64)");
    expect(text).toContain("Platform: linux");
    expect(text).toContain("Today's date: Sat Nov 21 2026");
  });

  it("never sees a path of the laptop", () => {
    const [text = ""] = systemForHost([SYSTEM], place);
    expect(text).not.toContain("/home/me");
    expect(text).not.toContain("darwin");
    expect(text).toContain("Instructions from: the user's own AGENTS.md\nBe brief. See /srv/app/x.");
  });

  it("is given the host's instructions, labelled as the host's", () => {
    const [text = ""] = systemForHost([SYSTEM], place);
    expect(text).toContain("Instructions from: /srv/app/AGENTS.md (a file of the project on prod)\nUse tabs.");
  });

  it("stays the same when two copies of the plugin are loaded", () => {
    const once = systemForHost([SYSTEM], place);
    expect(systemForHost(once, place)).toEqual(once);
  });

  it("says that the host cannot be used, and hides the laptop then too", () => {
    const [text = ""] = systemForHost([SYSTEM], { ...place, facts: undefined, failure: "no route\u001b[2J to host" });
    expect(text).toContain("The host cannot be used at the moment: no route[2J to host");
    expect(text).toContain("Working directory: ~/app");
    expect(text).not.toContain("/home/me");
  });

  it("takes nothing of the host's for a replacement pattern", () => {
    const odd = { ...facts, directory: "/srv/$&$1" };
    const [text = ""] = systemForHost([SYSTEM], { ...place, facts: odd });
    expect(text).toContain("Working directory: /srv/$&$1\n");
    expect(text).toContain("See /srv/$&$1/x.");
    expect(text).not.toContain("/home/me");
  });
});
