// Input over streams that break: the real command routes and helper, a link that is cut on purpose.
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { StubClient } from "../../plugin/stub-client/client.js";
import { writeInput } from "../../plugin/stub-client/command-input.js";
import { followCommand } from "../../plugin/stub-client/command-stream.js";
import { startChildStub } from "../fixtures/child-stub.js";
import { type CommandApp, commandApp, commandRequest } from "../fixtures/command-app.js";
import { eventually } from "../fixtures/processes.js";
import { linkTo, type SocketLink, testApprover } from "../fixtures/socket-link.js";
import { describe } from "../fixtures/with-compiler.js";

const MB = 1024 * 1024;

let app: CommandApp;
let link: SocketLink;
let client: StubClient;

beforeEach(async () => {
  app = await commandApp({ graceMs: 300 });
  link = linkTo(app.socket);
  client = new StubClient(link, testApprover());
});
afterEach(async () => {
  await client.close();
  await link.close();
  await app[Symbol.asyncDispose]();
});

describe("a command's input over a link that breaks", () => {
  it("is taken once and in order though the streams are cut again and again", async () => {
    const bytes = randomBytes(24 * MB);
    let given = 0;
    let cuts = 0;
    const input = async function* () {
      while (given < bytes.length) {
        const size = Math.floor(Math.random() * 100_000);
        yield bytes.subarray(given, given + size);
        given += size;
        if (cuts < 15 && given > ((cuts + 1) * bytes.length) / 17) {
          await new Promise((resolve) => setTimeout(resolve, Math.random() * 10));
          cuts += 1;
          link.cut();
        }
      }
    };
    expect(await digestOf(client, input())).toBe(digest(bytes));
    expect(cuts).toBe(15);
  });

  it("is taken once where every stream loses the second answer that it carries", async () => {
    const bytes = randomBytes(8 * MB);
    const openStream = link.openStream.bind(link);
    let streams = 0;
    let lost = 0;
    link.openStream = async () => {
      const socket = await openStream();
      streams += 1;
      if (streams === 1) return socket; // the output's
      const push = socket.push.bind(socket);
      let answers = 0;
      socket.push = (chunk: Uint8Array | null) => {
        if (chunk === null || ++answers < 2) return push(chunk);
        lost += 1;
        socket.destroy();
        return false;
      };
      return socket;
    };
    expect(await digestOf(client, chunksOf(bytes, MB))).toBe(digest(bytes));
    expect(lost).toBeGreaterThan(3);
  });

  it("waits out a time without any connection", async () => {
    const bytes = randomBytes(3 * MB);
    const input = async function* () {
      yield bytes.subarray(0, MB);
      link.down = new Promise((resolve) => setTimeout(resolve, 1200));
      link.cut();
      yield bytes.subarray(MB);
    };
    expect(await digestOf(client, input())).toBe(digest(bytes));
  });

  it("goes on after the stub was killed and started anew", async () => {
    const folder = await mkdtemp(join(tmpdir(), "ocr-stub-"));
    let stub = await startChildStub(folder);
    const other = linkTo(join(folder, "stub.sock"));
    const otherClient = new StubClient(other, testApprover());
    try {
      const bytes = randomBytes(12 * MB);
      const input = async function* () {
        for (let from = 0; from < bytes.length; from += MB) {
          yield bytes.subarray(from, from + MB);
          if (from !== 4 * MB && from !== 8 * MB) continue;
          other.down = stub.kill("SIGKILL").then(async () => {
            stub = await startChildStub(folder);
          });
        }
      };
      expect(await digestOf(otherClient, input())).toBe(digest(bytes));
    } finally {
      await otherClient.close();
      await other.close();
      await stub.kill("SIGTERM");
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe("a command's input", () => {
  it("is read at the command's pace: what waits is bounded, and all of it arrives when it reads", async () => {
    const gate = join(app.folder, "read");
    const bytes = randomBytes(12 * MB);
    let given = 0;
    const input = async function* () {
      for await (const chunk of chunksOf(bytes, 50_000)) {
        given += chunk.length;
        yield chunk;
      }
    };
    const running = digestOf(client, input(), `until [ -e '${gate}' ]; do sleep 0.02; done; sha256sum`);
    await eventually("more than one piece", () => given > MB);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(given).toBeLessThan(2.2 * MB);
    await writeFile(gate, "");
    expect(await running).toBe(digest(bytes));
  });

  it("leaves at once where little comes, and in large pieces where much does", async () => {
    const sizes: number[] = [];
    const json = client.json.bind(client);
    client.json = ((schema, request) => {
      if (request.body instanceof Uint8Array) sizes.push(request.body.length);
      return json(schema, request);
    }) as typeof client.json;
    await digestOf(client, chunksOf(randomBytes(8 * MB), 10_000));
    expect(sizes[0]).toBeLessThanOrEqual(20_000);
    expect(sizes.length).toBeLessThan(100);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(MB);
  });

  it("that is refused in the middle leaves its stream usable: the next request has its answer", async () => {
    const request = commandRequest({ command: "head -c 10 >/dev/null; exec <&-; sleep 600", stdin: "pipe" });
    const end = followCommand(client, request);
    await eventually("the command", () => app.commands.get(request.commandID));
    for (let count = 0; count < 3; count++) {
      await writeInput(client, request.commandID, chunksOf(randomBytes(4 * MB), 4 * MB), new AbortController().signal);
      expect((await client.command(request.commandID, AbortSignal.timeout(10_000))).state).toBe("running");
    }
    await client.cancel(request.commandID);
    await end;
  });

  it("is given up at once by an abort, however long the command does not read", async () => {
    const request = commandRequest({ command: "sleep 600", stdin: "pipe" });
    const end = followCommand(client, request);
    await eventually("the command", () => app.commands.get(request.commandID));
    const abort = new AbortController();
    let given = 0;
    const input = async function* () {
      for (; ; given++) yield Buffer.alloc(MB);
    };
    const writing = writeInput(client, request.commandID, input(), abort.signal);
    await eventually("a full pipe", () => given > 0);
    abort.abort();
    await expect(writing).rejects.toMatchObject({ code: "aborted" });
    await client.cancel(request.commandID);
    await end;
  });

  it("throws what the stub refuses: a command without a stdin, one that nobody knows", async () => {
    const request = commandRequest("sleep 600");
    const end = followCommand(client, request);
    await eventually("the command", () => app.commands.get(request.commandID));
    const { signal } = new AbortController();
    const write = (id: string) => writeInput(client, id, chunksOf(Buffer.from("x"), 1), signal);
    await expect(write(request.commandID)).rejects.toMatchObject({ code: "stdin_none" });
    await expect(write("cmd_00000000unknown")).rejects.toMatchObject({ code: "command_unknown" });
    await client.cancel(request.commandID);
    await end;
  });
});

/** What the command says of what it was given. */
async function digestOf(
  client: StubClient,
  input: AsyncIterable<Uint8Array>,
  command = "sha256sum",
): Promise<string | undefined> {
  const request = commandRequest({ command, stdin: "pipe" });
  const { signal } = new AbortController();
  let output = "";
  let writing: Promise<void> | undefined;
  const record = await followCommand(client, request, {
    onOutput: ({ data }) => {
      output += Buffer.from(data).toString();
    },
    onAccepted: () => {
      writing = writeInput(client, request.commandID, input, signal);
    },
  });
  await writing;
  expect(record).toMatchObject({ state: "exited", exit: 0 });
  return output.split(" ")[0];
}

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
}
