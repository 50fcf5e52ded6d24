// Terminals and version control through the runner of a host: connections that break, and the Bun that OpenCode brings.
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createSshRunner } from "../../plugin/runner/ssh/provider.js";
import { StubClient } from "../../plugin/stub-client/client.js";
import { newID } from "../../protocol/ids.js";
import { type Runtime, startScript } from "../fixtures/bundled-script.js";
import { changedTree } from "../fixtures/git-tree.js";
import { eventually } from "../fixtures/processes.js";
import { identityOf, SocketLink, testApprover } from "../fixtures/socket-link.js";
import { describe } from "../fixtures/with-compiler.js";
import { type Workbench, workbench } from "../fixtures/workbench.js";

let bench: Workbench;
beforeAll(async () => {
  bench = await workbench();
});
afterAll(() => bench[Symbol.asyncDispose]());

async function connect(init?: string) {
  const { installRoot } = bench.stub;
  const link = new SocketLink({
    identity: () => identityOf(installRoot),
    approvers: join(installRoot, "state/approvers"),
  });
  const client = new StubClient(link, testApprover());
  const provider = createSshRunner({
    validateHost: async () => undefined,
    open: async () => ({ client, env: { FROM_HOST: "yes" }, init, readRoots: [] }),
  });
  const directory = await bench.outside("project");
  const session = await provider.createSession({ host: "here", directory, workspaceID: newID("wrk") });
  const close = async () => {
    await session.close();
    await client.close();
    await link.close();
  };
  return { link, client, session, directory, [Symbol.asyncDispose]: close };
}

describe("a terminal of the runner", () => {
  it("goes on over ten dropped connections: nothing lost, nothing doubled, input typed meanwhile arrives", async () => {
    await using host = await connect();
    const script =
      'i=0; while [ $i -lt 2000 ]; do echo "$i ä€😀"; i=$((i+1)); [ $((i%20)) = 0 ] && sleep 0.02; done; read line; echo "got $line"; exit 4';
    const pty = await host.session.openPty({ command: "/usr/bin/env", args: ["sh", "-c", script] });
    let text = "";
    let lost = 0;
    let exit: number | null | undefined;
    pty.onData((piece, missing) => {
      text += piece;
      lost += missing;
    });
    pty.onExit((code) => {
      exit = code;
    });
    for (let round = 0; round < 10; round += 1) {
      const before = text.length;
      await eventually("more", () => text.length > before || text.includes("1999 "));
      host.link.cut();
    }
    let up: () => void = () => undefined;
    host.link.down = new Promise((resolve) => {
      up = resolve;
    });
    host.link.cut();
    await eventually("the connection to be away", () => pty.write("") && text.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(pty.write("typed\n")).toBe(true);
    expect(pty.write("x".repeat(100_000))).toBe(false);
    host.link.down = undefined;
    up();
    await eventually("the end", () => exit !== undefined);
    const printed = Array.from({ length: 2000 }, (_, index) => `${index} ä€😀\r\n`).join("");
    expect(text.replace("typed\r\n", "")).toBe(`${printed}got typed\r\n`);
    expect([exit, lost]).toEqual([4, 0]);
  });

  it("says how much is gone where it was away for more than the scrollback", async () => {
    await using host = await connect();
    const pty = await host.session.openPty({
      command: "/usr/bin/env",
      args: [
        "sh",
        "-c",
        "stty -echo; echo ready; read go; yes 0123456789abcdef | head -c 5000000; echo; echo END; read end",
      ],
    });
    let text = "";
    let lost = 0;
    pty.onData((piece, missing) => {
      text += piece;
      lost += missing;
    });
    await eventually("ready", () => text.includes("ready"));
    pty.write("go\n");
    let up: () => void = () => undefined;
    await eventually("the start", () => text.includes("0123"));
    host.link.down = new Promise((resolve) => {
      up = resolve;
    });
    host.link.cut();
    await new Promise((resolve) => setTimeout(resolve, 3000));
    host.link.down = undefined;
    up();
    await eventually("the end", () => text.endsWith("END\r\n"), 25_000);
    const all = "ready\r\n".length + Math.floor(5_000_000 / 17) * 18 + (5_000_000 % 17) + "\r\nEND\r\n".length;
    expect(text.length + lost).toBe(all);
  });

  it("has the host's env and init", async () => {
    await using host = await connect("export FROM_INIT=too");
    const pty = await host.session.openPty();
    let text = "";
    pty.onData((piece) => {
      text += piece;
    });
    pty.write('echo "$FROM_HOST-$FROM_INIT"; test -t 0 && exit 6\n');
    const exit = await new Promise((resolve) => pty.onExit(resolve));
    expect(text).toContain("yes-too\r\n");
    expect(exit).toBe(6);
  });

  it("that is removed behind our back has ended, nobody knows how", async () => {
    await using host = await connect();
    const pty = await host.session.openPty({ command: "/usr/bin/env", args: ["sleep", "100"] });
    const exited = new Promise((resolve) => pty.onExit(resolve));
    const workspace = host.session.state.destination.workspaceID;
    const answer = await bench.send(`/pty/${pty.id}`, { method: "DELETE", workspace });
    expect(answer.status).toBe(200);
    expect([null, 128 + 1, 128 + 9]).toContain(await exited);
  });

  for (const runtime of ["Node", "Bun"] as Runtime[]) {
    it(`works under ${runtime}, bundled as the plugin is`, async () => {
      const workspace = await bench.workspace();
      const identity = await identityOf(bench.stub.installRoot);
      const source = `
        import { connect } from "node:net";
        import { StubClient } from "./plugin/stub-client/client.js";
        import { createPty, PtyConnection } from "./plugin/stub-client/pty.js";
        const { identity, workspace } = JSON.parse(process.env.TASK);
        const open = async () => { const s = connect(identity.socket); await new Promise((done) => s.once("connect", done)); return s; };
        const link = { host: "here", state: "ready", ready: async () => identity, openStream: open, refresh: async () => identity,
          onProgress: () => ({ [Symbol.dispose]() {} }), registerApprover: async () => {}, close: async () => {} };
        const client = new StubClient(link, { keyID: "0", publicKey: new Uint8Array(32), sign: async () => new Uint8Array(64) });
        const body = { command: "/usr/bin/env", args: ["sh", "-c", "read line; echo got $line; exit 3"] };
        const pty = await createPty(client, body, { workspace, onAsk: "fail" });
        let text = "";
        const connection = new PtyConnection(client, pty, workspace, {
          data: (piece) => { text += piece; },
          exit: (code) => { console.log(JSON.stringify({ text, code })); process.exit(0); },
        });
        connection.write("ä€😀\\n");
      `;
      await using script = await startScript(runtime, source, { identity, workspace: workspace.id });
      const { value } = await script.lines.next();
      const said = value === undefined ? (await script.ended).stderr : JSON.parse(value as string);
      expect(said).toEqual({ text: "ä€😀\r\ngot ä€😀\r\n", code: 3 });
    });
  }
});

describe("version control through the runner", () => {
  it("tells branch, status and diff of the session's directory", async () => {
    await using host = await connect();
    changedTree(host.directory);
    expect(await host.session.vcs.info()).toEqual({ branch: "feature", default_branch: "main" });
    const status = await host.session.vcs.status();
    expect(status).toContainEqual({ file: "untracked.txt", additions: 2, deletions: 0, status: "added" });
    const [first] = await host.session.vcs.diff("git", { context: 0 });
    expect(first?.patch).toContain("diff --git ");
  });
});
