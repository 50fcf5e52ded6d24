// Output over streams that break: the real command routes and helper, a link that is cut on purpose.
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { StubClient } from "../../plugin/stub-client/client.js";
import {
  followCommand,
  type OutputGap,
  type OutputPiece,
  resumeCommand,
} from "../../plugin/stub-client/command-stream.js";
import { newID } from "../../protocol/ids.js";
import { startChildStub } from "../fixtures/child-stub.js";
import { type CommandApp, commandApp, commandRequest, ENFORCEMENT } from "../fixtures/command-app.js";
import { linkTo, type SocketLink, testApprover } from "../fixtures/socket-link.js";
import { describe } from "../fixtures/with-compiler.js";

let app: CommandApp;
let link: SocketLink;
let client: StubClient;

beforeEach(async () => {
  app = await commandApp();
  link = linkTo(app.socket);
  client = new StubClient(link, testApprover());
});
afterEach(async () => {
  await client.close();
  await link.close();
  await app[Symbol.asyncDispose]();
});

describe("a command's output over a link that breaks", () => {
  it("comes whole and in order when the stream is cut again and again", async () => {
    const output = new Collected();
    let cuts = 0;
    const record = await followCommand(
      client,
      commandRequest(
        "for i in $(seq 1 400); do echo line $i; echo error $i >&2; [ $((i % 10)) = 0 ] && sleep 0.02; done; true",
      ),
      {
        onOutput: (piece) => {
          output.take(piece);
          if (output.pieces % 7 === 0 && cuts < 15) cuts += link.cut();
        },
      },
    );
    expect(cuts).toBeGreaterThanOrEqual(10);
    expect(record).toMatchObject({ state: "exited", exit: 0 });
    const lines = (word: string) => Array.from({ length: 400 }, (_, index) => `${word} ${index + 1}\n`).join("");
    expect(output.text("stdout")).toBe(lines("line"));
    expect(output.text("stderr")).toBe(lines("error"));
  });

  it("tells which bytes the host's log had dropped before they were read, and goes on behind them", async () => {
    await using capped = await commandApp({ logCap: 16 * 1024 });
    const capLink = linkTo(capped.socket);
    const capClient = new StubClient(capLink, testApprover());
    try {
      const request = commandRequest("seq -f %07.0f 1 50000");
      const command = capped.commands.start({
        ...request,
        workspaceID: "wrk_00000000",
        cwd: "/",
        title: "",
        enforcement: ENFORCEMENT,
      });
      await command.settled;
      const gaps: OutputGap[] = [];
      let at = 100;
      let text = "";
      const record = await resumeCommand(capClient, request.commandID, {
        from: { stdout: 100, stderr: 0 },
        onOutput: ({ offset, data }) => {
          expect(offset).toBe(at);
          at += data.length;
          text += Buffer.from(data).toString();
        },
        onGap: (gap) => {
          expect(gap.first).toBe(at);
          at = gap.last + 1;
          gaps.push(gap);
        },
      });
      expect(at).toBe(400_000);
      expect(gaps).toEqual([{ stream: "stdout", ...record.output.dropped?.stdout }]);
      expect(text.endsWith("0049999\n0050000\n")).toBe(true);
    } finally {
      await capClient.close();
      await capLink.close();
    }
  });

  it("keeps every byte of bulk that is cut in the middle", async () => {
    const output = new Hashed();
    let cuts = 0;
    const size = 24 * 1024 * 1024;
    const file = join(app.folder, "bulk");
    await writeFile(file, Buffer.alloc(size, "0123456789abcdef".repeat(61)));
    const record = await followCommand(client, commandRequest({ argv: ["cat", file] }), {
      onOutput: (piece) => {
        output.take(piece);
        if (cuts < 5 && output.size > (cuts + 1) * 3_000_000) cuts += link.cut();
      },
    });
    expect(cuts).toBe(5);
    expect(record.output.stdout).toBe(size);
    expect(output.digest()).toBe(
      createHash("sha256")
        .update(await readFile(file))
        .digest("hex"),
    );
  });

  it("goes on after a time without any connection, while the command ran on", async () => {
    const output = new Collected();
    let up: () => void = () => undefined;
    const record = await followCommand(
      client,
      commandRequest("echo before; sleep 0.3; echo meanwhile; sleep 0.3; echo after"),
      {
        onOutput: (piece) => {
          output.take(piece);
          if (output.text("stdout") !== "before\n") return;
          link.down = new Promise((resolve) => {
            up = resolve;
          });
          link.cut();
          setTimeout(() => up(), 1200);
        },
      },
    );
    expect(record.exit).toBe(0);
    expect(output.text("stdout")).toBe("before\nmeanwhile\nafter\n");
  });

  it("starts the command once, even when the answer to its request was lost", async () => {
    const counter = join(app.folder, "count");
    const request = commandRequest(`echo x >> ${counter}; sleep 0.2; echo done`);
    const open = link.openStream.bind(link);
    let broken = 0;
    // The first stream carries the request to the stub and breaks at the first byte of the answer.
    link.openStream = async () => {
      const socket = await open();
      if (broken++ > 0) return socket;
      const { push } = socket;
      socket.push = () => {
        socket.push = push;
        socket.destroy();
        return false;
      };
      return socket;
    };
    const output = new Collected();
    const record = await followCommand(client, request, { onOutput: output.take });
    expect(broken).toBeGreaterThan(1);
    expect(record.exit).toBe(0);
    expect(output.text("stdout")).toBe("done\n");
    expect(await readFile(counter, "utf8")).toBe("x\n");
  });

  it("is found again after the stub was killed and started anew", async () => {
    const folder = await mkdtemp(join(tmpdir(), "ocr-stub-"));
    let stub = await startChildStub(folder);
    const other = linkTo(join(folder, "stub.sock"));
    const otherClient = new StubClient(other, testApprover());
    try {
      const output = new Collected();
      let restarted: Promise<void> | undefined;
      const record = await followCommand(otherClient, commandRequest("echo one; sleep 1; echo two; exit 7"), {
        onOutput: (piece) => {
          output.take(piece);
          restarted ??= (async () => {
            other.down = (async () => {
              await stub.kill("SIGKILL");
              stub = await startChildStub(folder);
            })();
            await other.down;
          })();
        },
      });
      await restarted;
      expect(output.text("stdout")).toBe("one\ntwo\n");
      expect(record).toMatchObject({ state: "exited", exit: 7 });
    } finally {
      await otherClient.close();
      await other.close();
      await stub.kill("SIGTERM");
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe("a command's output for its receiver", () => {
  it("waits for a receiver that takes its time, one piece after the other", async () => {
    let busy = 0;
    let most = 0;
    const output = new Collected();
    await followCommand(client, commandRequest("for i in 1 2 3 4 5; do echo $i; echo e$i >&2; sleep 0.01; done"), {
      onOutput: async (piece) => {
        busy += 1;
        most = Math.max(most, busy);
        const copy = { ...piece, data: new Uint8Array(piece.data) };
        await new Promise((resolve) => setTimeout(resolve, 15));
        output.take(copy);
        busy -= 1;
      },
    });
    expect(most).toBe(1);
    expect(output.text("stdout")).toBe("1\n2\n3\n4\n5\n");
    expect(output.text("stderr")).toBe("e1\ne2\ne3\ne4\ne5\n");
  });

  it("ends the following, not the command, when the receiver fails", async () => {
    const marker = join(app.folder, "marker");
    const request = commandRequest(`echo x; sleep 0.3; touch ${marker}`);
    const following = followCommand(client, request, {
      onOutput: async () => {
        throw new Error("disk full here");
      },
    });
    await expect(following).rejects.toThrow("disk full here");
    const again = await followCommand(client, request);
    expect(again.exit).toBe(0);
    expect(await readFile(marker, "utf8")).toBe("");
  });

  it("ends at once when it is aborted", async () => {
    const abort = new AbortController();
    const request = commandRequest("echo x; exec sleep 60");
    const following = followCommand(client, request, { signal: abort.signal, onOutput: () => abort.abort() });
    await expect(following).rejects.toMatchObject({ code: "aborted" });
    expect(await client.cancel(request.commandID)).toMatchObject({ aborted: true });
  });

  it("passes on what the stub refuses, and does not try again", async () => {
    const opened = link.opened;
    const request = commandRequest({ command: "true", commandID: newID("cmd") });
    await followCommand(client, request);
    const other = followCommand(client, { ...request, command: "false" });
    await expect(other).rejects.toMatchObject({ code: "command_conflict" });
    expect(link.opened).toBe(opened + 1);
  });
});

describe("many requests", () => {
  it("share streams: a second one after the first opens none, side by side each has its own", async () => {
    await followCommand(client, commandRequest("true"));
    await followCommand(client, commandRequest("true"));
    expect(link.opened).toBe(1);
    await Promise.all(Array.from({ length: 4 }, () => followCommand(client, commandRequest("sleep 0.2"))));
    expect(link.opened).toBe(4);
  });

  it("of which the long ones never hold up the short ones", async () => {
    const abort = new AbortController();
    const long = Array.from({ length: 20 }, () =>
      followCommand(client, commandRequest("exec sleep 60"), { signal: abort.signal }).catch((error) => error.code),
    );
    const record = await followCommand(client, commandRequest("echo quick"));
    expect(record.exit).toBe(0);
    abort.abort();
    expect(new Set(await Promise.all(long))).toEqual(new Set(["aborted"]));
  });
});

class Collected {
  pieces = 0;
  readonly #parts = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  readonly #size = { stdout: 0, stderr: 0 };

  readonly take = ({ stream, offset, data }: OutputPiece): void => {
    expect(offset).toBe(this.#size[stream]);
    this.#size[stream] += data.length;
    this.pieces += 1;
    this.#parts[stream].push(Buffer.from(data));
  };

  text(stream: "stdout" | "stderr"): string {
    return Buffer.concat(this.#parts[stream]).toString();
  }
}

class Hashed {
  size = 0;
  readonly #hash = createHash("sha256");

  take({ offset, data }: OutputPiece): void {
    if (offset !== this.size) throw new Error(`offset ${offset} after ${this.size} bytes`);
    this.size += data.length;
    this.#hash.update(data);
  }

  digest(): string {
    return this.#hash.digest("hex");
  }
}
