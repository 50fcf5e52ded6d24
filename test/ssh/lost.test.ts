// Connections that are lost: noticed, said once, and never taken for the end of a stream.
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import type { ClientChannel } from "ssh2";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openTransport } from "../../plugin/ssh/ssh2/open.js";
import type { OpenOptions, ResolvedHost } from "../../plugin/ssh/transport.js";
import { listening } from "./fixtures/listening.js";
import { naiveClient } from "./fixtures/naive-client.js";
import { hasSshd, type Sshd, sshdReason, startSshd } from "./fixtures/sshd.js";
import { text } from "./fixtures/text.js";
import { startWan } from "./fixtures/wan.js";

const OPTIONS: OpenOptions = { connectTimeoutMs: 10_000, keepaliveMs: 100 };

describe.skipIf(!hasSshd)(`losing the connection (${sshdReason})`, () => {
  let sshd: Sshd;
  beforeAll(async () => {
    sshd = await startSshd();
  });
  afterAll(() => sshd.stop());

  const through = (port: number): ResolvedHost => ({
    ...sshd.resolved,
    port,
    hostKeyAlias: `[127.0.0.1]:${sshd.port}`,
  });

  it("tells its listeners once, fails the open streams, and refuses new ones", async () => {
    const path = join(sshd.directory, "silent.sock");
    await using _ = await listening(createServer(), path);
    const transport = await openTransport(sshd.resolved, OPTIONS);
    const reasons: unknown[] = [];
    transport.onClose((reason) => reasons.push(reason));
    const socket = await transport.openSocket(path);
    const command = await transport.exec("sleep 600");
    const socketError = once(socket, "error");
    const outputError = once(command.stdout, "error");
    sshd.killConnections();
    expect(await socketError).toMatchObject([{ code: "connection_lost" }]);
    expect(await outputError).toMatchObject([{ code: "connection_lost" }]);
    expect(await command.closed).toEqual({ code: null, signal: null });
    expect(reasons).toMatchObject([{ code: "connection_lost" }]);
    await expect(transport.exec("true")).rejects.toMatchObject({ code: "connection_lost" });
    await expect(transport.openSocket(path)).rejects.toMatchObject({ code: "connection_lost" });
    // a late listener hears it, too
    expect(await new Promise((resolve) => transport.onClose(resolve))).toMatchObject({ code: "connection_lost" });
    await transport.close();
  });

  it("never ends a stream as if all had come; a bare channel of ssh2 does just that", async () => {
    const command = "echo begin; sleep 600";
    const client = await naiveClient(sshd);
    const bare = await new Promise<ClientChannel>((resolve, reject) =>
      client.exec(command, (error, channel) => (error ? reject(error) : resolve(channel))),
    );
    const transport = await openTransport(sshd.resolved, OPTIONS);
    const ours = await transport.exec(command);
    await Promise.all([once(ours.stdout, "readable"), once(bare, "readable")]);
    sshd.killConnections();
    await expect(text(ours.stdout)).rejects.toMatchObject({ code: "connection_lost" });
    expect(await text(bare)).toBe("begin\n");
  });

  it("fails what was being opened when the connection went", async () => {
    await using wan = await startWan({ target: sshd.port });
    const transport = await openTransport(through(wan.port), { ...OPTIONS, keepaliveMs: 60_000 });
    wan.stall();
    const opening = [transport.exec("true"), transport.openSocket("/tmp/x"), transport.openTcp(1)];
    wan.cut();
    for (const each of opening) await expect(each).rejects.toMatchObject({ code: "connection_lost" });
  });

  it("finds a link dead that has fallen silent, without a packet that says so", async () => {
    await using wan = await startWan({ target: sshd.port });
    const transport = await openTransport(through(wan.port), OPTIONS);
    const lost = new Promise<Error | undefined>((resolve) => transport.onClose(resolve));
    wan.stall();
    expect(await lost).toMatchObject({
      code: "connection_lost",
      message: expect.stringContaining("nothing was heard"),
    });
  });

  it("keeps an idle connection, and one that is only slow", async () => {
    // an answer to a ping stands behind more than three intervals of output
    await using wan = await startWan({ target: sshd.port, delayMs: 5 });
    const transport = await openTransport(through(wan.port), OPTIONS);
    const reasons: unknown[] = [];
    transport.onClose((reason) => reasons.push(reason));
    await new Promise((resolve) => setTimeout(resolve, 6 * OPTIONS.keepaliveMs));
    wan.setRate(300_000);
    const channel = await transport.exec("head -c 400000 /dev/zero");
    channel.stderr.resume();
    expect((await text(channel.stdout)).length).toBe(400_000);
    expect(reasons).toEqual([]);
    await transport.close();
  });

  it("closes at once on a link that is dead, without waiting for the host", async () => {
    await using wan = await startWan({ target: sshd.port });
    const transport = await openTransport(through(wan.port), { ...OPTIONS, keepaliveMs: 60_000 });
    wan.stall();
    await transport.close();
    await expect(transport.exec("true")).rejects.toMatchObject({ code: "connection_lost" });
  });
});
