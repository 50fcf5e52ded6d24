// A hundred megabytes for a reader that takes its time, over a real SSH connection: memory stays bounded on both sides.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openTransport } from "../../plugin/ssh/ssh2/open.js";
import type { Transport } from "../../plugin/ssh/transport.js";
import { StubClient } from "../../plugin/stub-client/client.js";
import { followCommand, type OutputPiece } from "../../plugin/stub-client/command-stream.js";
import { type ChildStub, startChildStub } from "../fixtures/child-stub.js";
import { commandRequest } from "../fixtures/command-app.js";
import { rssOf } from "../fixtures/memory.js";
import { SocketLink, testApprover } from "../fixtures/socket-link.js";
import { describe } from "../fixtures/with-compiler.js";
import { hasSshd, type Sshd, sshdReason, startSshd } from "../ssh/fixtures/sshd.js";

const SIZE = 100 * 1024 * 1024;
const MEGABYTE = 1024 * 1024;

describe.skipIf(!hasSshd)(`100 MB through a real sshd (${sshdReason})`, () => {
  let sshd: Sshd;
  let stub: ChildStub;
  let folder: string;
  let transport: Transport;
  let client: StubClient;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "ocr-slow-"));
    [sshd, stub] = await Promise.all([startSshd(), startChildStub(folder)]);
    transport = await openTransport(sshd.resolved, { connectTimeoutMs: 15_000, keepaliveMs: 5000 });
    const identity = { token: "t", instanceID: "i", version: "0", pid: 0, port: 0, socket: stub.socket };
    const link = new SocketLink({ identity: async () => identity, approvers: "/nonexistent" });
    link.openStream = () => transport.openSocket(stub.socket) as never;
    client = new StubClient(link, testApprover());
    // What the programs themselves need (code, buffers of the first use) is not what is measured.
    await followCommand(client, commandRequest(`head -c ${SIZE / 4} /dev/zero`));
  }, 60_000);
  afterAll(async () => {
    await client?.close();
    await transport?.close();
    await sshd?.stop();
    await stub?.kill("SIGTERM");
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  const read = async (onOutput: (piece: OutputPiece) => void | Promise<void>) => {
    global.gc?.();
    const before = { ours: process.memoryUsage.rss(), stubs: await rssOf(stub.pid) };
    const most = { ours: 0, stubs: 0 };
    let size = 0;
    let since = 0;
    const record = await followCommand(client, commandRequest(`head -c ${SIZE} /dev/zero`), {
      onOutput: async (piece) => {
        size += piece.data.length;
        since += piece.data.length;
        if (since > MEGABYTE) {
          since = 0;
          most.ours = Math.max(most.ours, process.memoryUsage.rss() - before.ours);
          most.stubs = Math.max(most.stubs, (await rssOf(stub.pid)) - before.stubs);
        }
        await onOutput(piece);
      },
    });
    expect(record).toMatchObject({ exit: 0, output: { stdout: SIZE } });
    expect(size).toBe(SIZE);
    return most;
  };

  it("needs less than 64 MB more here and there when the reader is quick", async () => {
    const most = await read(() => undefined);
    expect(most.ours).toBeLessThan(64 * MEGABYTE);
    expect(most.stubs).toBeLessThan(64 * MEGABYTE);
  }, 60_000);

  it("needs less than 64 MB more here and there when the reader is slow", async () => {
    const most = await read(() => new Promise((resolve) => setTimeout(resolve, 2)));
    expect(most.ours).toBeLessThan(64 * MEGABYTE);
    expect(most.stubs).toBeLessThan(64 * MEGABYTE);
  }, 60_000);
});
