// The contract on a real stub, and what only a runner with a host between has to get right.
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import type { RunnerProvider, RunnerSessionOptions } from "../../plugin/runner/runner.js";
import type { OpenedHost } from "../../plugin/runner/ssh/calls.js";
import { createSshRunner } from "../../plugin/runner/ssh/provider.js";
import { StubClient } from "../../plugin/stub-client/client.js";
import { newID } from "../../protocol/ids.js";
import { Mark } from "../fixtures/marked-processes.js";
import { eventually } from "../fixtures/processes.js";
import { identityOf, SocketLink, testApprover } from "../fixtures/socket-link.js";
import { type StubFixture, startStub } from "../fixtures/stub.js";
import { describe } from "../fixtures/with-compiler.js";
import { run, runnerContract } from "./contract.js";

interface Host {
  stub: StubFixture;
  link: SocketLink;
  client: StubClient;
  provider: RunnerProvider;
  /** Method and path of every request that was sent. */
  requests: string[];
}

function connectTo(stub: StubFixture, setting: Partial<OpenedHost> = {}): Host {
  const link = new SocketLink({
    identity: () => identityOf(stub.installRoot),
    approvers: join(stub.installRoot, "state/approvers"),
  });
  const client = new StubClient(link, testApprover());
  const requests: string[] = [];
  for (const name of ["send", "stream"] as const) {
    const original = client[name].bind(client) as (
      request: { method: string; path: string },
      ...rest: unknown[]
    ) => unknown;
    Object.assign(client, {
      [name]: (request: { method: string; path: string }, ...rest: unknown[]) => {
        requests.push(`${request.method} ${request.path.split("?")[0]}`);
        return original(request, ...rest);
      },
    });
  }
  const provider = createSshRunner({
    validateHost: async () => undefined,
    open: async () => ({ client, env: {}, init: undefined, readRoots: [], ...setting }),
  });
  return { stub, link, client, provider, requests };
}

runnerContract("ssh", async () => {
  const stub = await startStub();
  const { provider, client, link } = connectTo(stub);
  return {
    provider,
    host: "here",
    stop: async () => {
      await client.close();
      await link.close();
      await stub.stop();
    },
  };
});

describe("the ssh runner and its stub", () => {
  let stub: StubFixture;
  let base: string;
  const open: { close(): Promise<void> }[] = [];

  beforeAll(async () => {
    stub = await startStub();
    base = await realpath(await mkdtemp(join(tmpdir(), "ocr-runner-")));
  }, 60_000);
  afterAll(async () => {
    await stub?.stop();
    await rm(base, { recursive: true, force: true });
  });
  afterEach(async () => {
    for (const each of open.splice(0)) await each.close();
  });

  const host = (setting?: Partial<OpenedHost>) => {
    const made = connectTo(stub, setting);
    open.push(made.client, made.link);
    return made;
  };
  const project = async () => {
    const directory = await mkdtemp(join(base, "project-"));
    return directory;
  };
  const session = async ({ provider }: Host, directory: string | null, options?: RunnerSessionOptions) => {
    const destination = { host: "here", directory, workspaceID: newID("wrk") };
    const made = await provider.createSession(destination, options);
    open.unshift(made);
    return made;
  };

  it("connects to nothing before it is used", async () => {
    const { link, provider } = host();
    const made = await session({ provider } as Host, await project());
    expect(made.connection).toBe("idle");
    expect(link.opened).toBe(0);
    await made.close();
  });

  it("needs one request for a command, a read and a write once it is warm, and makes its workspace on the way", async () => {
    const made = host();
    const warm = await session(made, await project());
    await run(warm, { command: "true" });
    expect(made.requests).toEqual([
      "POST /command",
      "POST /experimental/workspace",
      // the approver: the host's clock, a refusal of the unknown key, then again
      "GET /global/health",
      "POST /approver",
      "GET /global/health",
      "POST /approver",
      "POST /command",
    ]);
    made.requests.length = 0;
    await run(warm, { command: "true" });
    await warm.writeFile("file", Buffer.from("x"));
    await warm.view("file");
    await warm.glob("*");
    await warm.batch([{ op: "read", path: "file" }]);
    expect(made.requests).toEqual([
      "POST /command",
      "PUT /file/content",
      "GET /file/view",
      "POST /glob",
      "POST /file/batch",
    ]);
  });

  it("makes one workspace however many calls come first at once", async () => {
    const made = host();
    const fresh = await session(made, await project());
    await Promise.all(Array.from({ length: 8 }, (_, index) => fresh.writeFile(`file ${index}`, Buffer.from("x"))));
    expect(made.requests.filter((each) => each === "POST /experimental/workspace")).toHaveLength(1);
    expect(await fresh.readdir(".")).toHaveLength(8);
  });

  it("applies the host's variables and its init to every command, program or text", async () => {
    const made = host({ env: { LICENSE: "27000@lic", BOTH: "host" }, init: "LOADED=yes; export LOADED" });
    const prepared = await session(made, await project());
    const text = await run(prepared, { command: 'echo "$LICENSE $BOTH $LOADED"', env: { BOTH: "call" } });
    expect(text.stdout.toString()).toBe("27000@lic call yes\n");
    const program = await run(prepared, { program: "sh", args: ["-c", 'echo "$LOADED $1"', "sh", "it's $HOME"] });
    expect(program.stdout.toString()).toBe("yes it's $HOME\n");
  });

  it("does not run a command whose init failed, and tells init's status", async () => {
    const made = host({ init: "(exit 9)" });
    const directory = await project();
    const prepared = await session(made, directory);
    const { result } = await run(prepared, { command: "touch ran\ntouch ran" });
    expect(result.exit).toBe(9);
    await expect(readFile(join(directory, "ran"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("approves the read roots of the host's configuration, for reading only", async () => {
    const tools = await project();
    await writeFile(join(tools, "tool"), "t");
    const made = await session(host({ readRoots: [tools] }), await project());
    expect((await made.readFile(join(tools, "tool"))).size).toBe(1);
    await expect(made.writeFile(join(tools, "tool"), Buffer.from("x"))).rejects.toMatchObject({
      code: "permission_required",
    });
  });

  it("refuses the home as a root where the stub does: at a level that hides nothing in it", async () => {
    const root = join(await mkdtemp(join(base, "stub-")), "root");
    await using plain = await startStub({ installRoot: root, args: ["--level", "landlock"] });
    const made = connectTo(plain);
    open.push(made.client, made.link);
    const refused = await session(made, plain.home);
    await expect(refused.stat(".")).rejects.toMatchObject({ code: "root_refused" });
  });

  it("takes `always` for `once` where the stub may not approve it for always", async () => {
    await writeFile(join(stub.home, "note"), "n");
    let asked = 0;
    const made = await session(host(), await project(), {
      onAsk: async () => {
        asked += 1;
        return { reply: "always" };
      },
    });
    await mkdir(join(stub.home, "sub"), { recursive: true });
    await made.readdir(stub.home);
    await made.readdir(stub.home);
    expect(asked).toBe(2);
  });

  it("two running commands that want the same are one question, and when the first is given up the second is asked anew", async () => {
    const outside = await mkdtemp(join(base, "outside-"));
    await writeFile(join(outside, "f"), "PRIVATE\n");
    const made = await session(host(), await project());
    const hidden = Buffer.from(join(outside, "f")).toString("base64");
    const asked: { by: string; answer(reply: "once"): void }[] = [];
    const start = (by: string, signal?: AbortSignal) =>
      run(made, {
        command: `cat "$(echo ${hidden} | base64 -d)"`,
        ...(signal === undefined ? {} : { signal }),
        onAsk: (_ask) => new Promise((resolve) => asked.push({ by, answer: (reply) => resolve({ reply }) })),
      });
    const asks = (count: number) => eventually(`${count} questions`, () => asked.length === count || undefined);
    const waiting = (count: number) =>
      eventually(`${count} that wait`, async () => {
        const text = await readFile(join(stub.installRoot, "log/audit.log"), "utf8");
        return (
          text.split("\n").filter((line) => line.includes(hidden) && line.includes('"command"')).length >= count ||
          undefined
        );
      });

    const abort = new AbortController();
    const first = start("first", abort.signal);
    await asks(1);
    const second = start("second");
    await waiting(2);
    // the second is told of the same question, which is asked already
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(asked.map(({ by }) => by)).toEqual(["first"]);
    abort.abort();
    expect((await first).result.aborted).toBe(true);
    await asks(2);
    expect(asked[1]?.by).toBe("second");
    // and where the other one is given up, the question stays
    const gone = new AbortController();
    const third = start("third", gone.signal);
    await waiting(3);
    await new Promise((resolve) => setTimeout(resolve, 300));
    gone.abort();
    expect((await third).result.aborted).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(asked).toHaveLength(2);
    asked[1]?.answer("once");
    expect((await second).stdout.toString()).toBe("PRIVATE\n");
  });

  it("gets a new secret when the stub was started anew, and goes on", async () => {
    const root = join(await mkdtemp(join(base, "stub-")), "root");
    let restarted = await startStub({ installRoot: root });
    const made = connectTo(restarted);
    open.push(made.client, made.link);
    const outside = await project();
    const working = await session(made, await project(), { onAsk: async () => ({ reply: "once" }) });
    await run(working, { command: "true" });
    await restarted.stop("SIGKILL");
    restarted = await startStub({ installRoot: root });
    const { result } = await run(working, { command: "true", cwd: outside });
    expect(result.exit).toBe(0);
    expect(made.link.registered).toBe(1);
    await restarted.stop();
  });

  it("reads the token again where the stub has another one", async () => {
    const made = host();
    const working = await session(made, await project());
    await working.writeFile("file", Buffer.from("x"));
    const right = made.link.ready.bind(made.link);
    const wrong = "0".repeat(64);
    made.link.ready = async () => ({ ...(await right()), ...(made.link.refreshed === 0 ? { token: wrong } : {}) });
    expect((await working.readFile("file")).size).toBe(1);
    expect(made.link.refreshed).toBe(1);
    made.link.ready = async () => ({ ...(await right()), token: wrong });
    await expect(working.readFile("file")).rejects.toMatchObject({ code: "unauthorized" });
  });

  it("sends what is lost again when its stream breaks: a read as it is, a change so that it is done once", async () => {
    const made = host();
    const directory = await project();
    const working = await session(made, directory);
    const at = (name: string) => join(directory, name);
    const data = Buffer.from("y");
    const { tag } = await working.writeFile("file", Buffer.from("x"));
    breakNextAnswer(made.link);
    expect((await working.readFile("file")).size).toBe(1);
    breakNextAnswer(made.link);
    expect(await working.writeFile("file", data, { ifMatch: tag })).toMatchObject({ existed: true });
    breakNextAnswer(made.link);
    expect(await working.writeFile("new", data, { ifMatch: "absent" })).toMatchObject({ existed: false });
    breakNextAnswer(made.link);
    await working.mkdir("made");
    breakNextAnswer(made.link);
    await working.move("new", "made/moved");
    breakNextAnswer(made.link);
    const results = await working.batch([
      { op: "write", path: "batched", data, ifMatch: "absent" },
      { op: "move", from: "batched", to: "made/batched" },
    ]);
    expect(results.map(({ ok }) => ok)).toEqual([true, true]);
    breakNextAnswer(made.link);
    await working.remove("file");
    expect((await readdir(directory, { recursive: true })).sort()).toEqual(["made", "made/batched", "made/moved"]);
    expect(await readFile(at("made/moved"), "utf8")).toBe("y");
  });

  it("asks the file itself where the stub was killed before its answer came, and says so where nobody can know", async () => {
    const root = join(await mkdtemp(join(base, "stub-")), "root");
    let killed = await startStub({ installRoot: root });
    const made = connectTo(killed);
    open.push(made.client, made.link);
    const directory = await project();
    const working = await session(made, directory);
    const { tag } = await working.writeFile("file", Buffer.from("old"));
    await working.writeFile("from", Buffer.from("x"));
    const killAtAnswer = () =>
      breakNextAnswer(made.link, async () => {
        await killed.stop("SIGKILL");
        killed = await startStub({ installRoot: root });
      });
    killAtAnswer();
    const written = await working.writeFile("file", Buffer.from("new"), { ifMatch: tag });
    expect(written).toMatchObject({ path: join(directory, "file"), size: 3, existed: true });
    expect((await working.readFile("file")).tag).toBe(written.tag);
    killAtAnswer();
    await working.remove("file");
    killAtAnswer();
    await expect(working.move("from", "to")).rejects.toMatchObject({ code: "answer_lost" });
    expect(await readdir(directory)).toEqual(["to"]);
    await killed.stop();
  }, 120_000);

  it("answers an abort within its limit while the connection is down, and cancels when it is back", async () => {
    const made = host();
    const directory = await project();
    const working = await session(made, directory);
    await run(working, { command: "true" });
    const mark = new Mark();
    const abort = new AbortController();
    let up: () => void = () => undefined;
    const { result } = await run(working, {
      command: "echo ready; exec sleep 300",
      env: mark.env,
      signal: abort.signal,
      onOutput: () => {
        made.link.down = new Promise((resolve) => {
          up = resolve;
        });
        made.link.cut();
        abort.abort();
      },
    });
    expect(result.aborted).toBe(true);
    expect(await mark.pids()).toHaveLength(1);
    up();
    await mark.gone();
  });

  it("runs nothing when it is aborted before a connection was there", async () => {
    const made = host();
    const directory = await project();
    const working = await session(made, directory);
    await working.stat(".");
    made.link.cut();
    let up: () => void = () => undefined;
    made.link.down = new Promise((resolve) => {
      up = resolve;
    });
    const abort = new AbortController();
    const running = run(working, { command: "touch ran", signal: abort.signal });
    setTimeout(() => abort.abort(), 50);
    await expect(running).rejects.toMatchObject({ code: "aborted" });
    up();
    await new Promise((resolve) => setTimeout(resolve, 300));
    await expect(readFile(join(directory, "ran"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("lets a command go on when the session is closed", async () => {
    const made = host();
    const directory = await project();
    const closing = await session(made, directory);
    const running = run(closing, { command: "echo ready; sleep 0.5; touch ran", onOutput: () => closing.close() });
    await expect(running).rejects.toThrow();
    for (;;) {
      const there = await readFile(join(directory, "ran")).catch(() => undefined);
      if (there !== undefined) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });

  it("belongs to its installation: another one's approver is refused", async () => {
    const directory = await project();
    const mine = host();
    const destination = { host: "here", directory, workspaceID: newID("wrk") };
    const first = await mine.provider.createSession(destination);
    await first.writeFile("file", Buffer.from("x"));
    const theirs = host();
    await theirs.client.approver.secret();
    const second = await theirs.provider.createSession(destination);
    await expect(second.readFile("file")).rejects.toMatchObject({ code: "approver_foreign" });
    open.unshift(first, second);
  });
});

/** The next stream (all old ones are cut) breaks at the first byte of its answer; no other is there before `meanwhile` is over. */
function breakNextAnswer(link: SocketLink, meanwhile?: () => Promise<void>): void {
  link.cut();
  const openStream = link.openStream.bind(link);
  link.openStream = async () => {
    link.openStream = openStream;
    const socket = await openStream();
    socket.push = () => {
      if (meanwhile !== undefined) link.down = meanwhile();
      socket.destroy();
      return false;
    };
    return socket;
  };
}
