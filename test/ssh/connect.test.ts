// Connections that do not come about: each says in its code what went wrong, and leaves nothing open.

import type { AddressInfo } from "node:net";
import { createServer, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openTransport } from "../../plugin/ssh/ssh2/open.js";
import type { OpenOptions, ResolvedHost } from "../../plugin/ssh/transport.js";
import type { RemoteError } from "../../protocol/errors.js";
import { freePort } from "./fixtures/ports.js";
import { hasSshd, type Sshd, sshdReason, startSshd } from "./fixtures/sshd.js";
import { finish } from "./fixtures/text.js";

const OPTIONS: OpenOptions = { connectTimeoutMs: 10_000, keepaliveMs: 5_000 };

function failure(host: ResolvedHost, options: Partial<OpenOptions> = {}): Promise<RemoteError> {
  return openTransport(host, { ...OPTIONS, ...options }).then(
    async (transport) => {
      await transport.close();
      throw new Error("it connected");
    },
    (error: RemoteError) => error,
  );
}

interface Listener {
  port: number;
  sockets: Set<Socket>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Something on a port that is no SSH server. */
async function listen(onConnection: (socket: Socket) => void): Promise<Listener> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
    socket.resume();
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe.skipIf(!hasSshd)(`connecting (${sshdReason})`, () => {
  let sshd: Sshd;
  beforeAll(async () => {
    sshd = await startSshd();
  });
  afterAll(() => sshd.stop());

  it("logs in, runs a command with its output and exit code apart, and closes without a reason", async () => {
    const transport = await openTransport(sshd.resolved, OPTIONS);
    const reasons: unknown[] = [];
    transport.onClose((reason) => reasons.push(reason));
    expect(transport.destination).toBe(`${sshd.user}@127.0.0.1:${sshd.port}`);
    const channel = await transport.exec("cat; echo oops >&2; exit 7");
    channel.stdin.end("hello\n");
    expect(await finish(channel)).toEqual({ stdout: "hello\n", stderr: "oops\n", code: 7 });
    await transport.close();
    await transport.close();
    expect(reasons).toEqual([undefined]);
    await until(() => sshd.connections().length === 0);
  });

  it("says name_unresolved for a host that no name server knows, and whom the user may have meant", async () => {
    const host = { ...sshd.resolved, host: "no-such-host.invalid", didYouMean: "such-host" };
    expect(await failure(host)).toMatchObject({ code: "name_unresolved", hint: "did you mean such-host?" });
  });

  it("says host_unreachable for a port where nobody listens", async () => {
    const port = await freePort();
    expect(await failure({ ...sshd.resolved, port })).toMatchObject({
      code: "host_unreachable",
      details: { port, errno: "ECONNREFUSED" },
    });
  });

  it("says not_ssh for a web server, and shows what it said", async () => {
    await using web = await listen((socket) => {
      socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    });
    const error = await failure({ ...sshd.resolved, port: web.port });
    expect(error.code).toBe("not_ssh");
    expect(error.message).toContain("HTTP/1.1 400 Bad Request");
  });

  it("says not_ssh for a server that greets in another language and waits", async () => {
    await using mail = await listen((socket) => socket.write("220 mail.example \u001b[31mESMTP\r\n"));
    const error = await failure({ ...sshd.resolved, port: mail.port }, { connectTimeoutMs: 200 });
    expect(error.code).toBe("not_ssh");
    expect(error.message).toContain("220 mail.example ?[31mESMTP");
  });

  it("says not_ssh for a port that hangs up without a word", async () => {
    await using closed = await listen((socket) => socket.end());
    expect(await failure({ ...sshd.resolved, port: closed.port })).toMatchObject({ code: "not_ssh" });
  });

  it("says connect_timeout for a port that accepts and stays silent, and leaves no socket there", async () => {
    await using silent = await listen(() => undefined);
    const error = await failure({ ...sshd.resolved, port: silent.port }, { connectTimeoutMs: 150 });
    expect(error).toMatchObject({ code: "connect_timeout", details: { stage: "greeting" } });
    await until(() => silent.sockets.size === 0);
  });

  it("leaves no socket behind when the caller aborts, at whatever moment that is", async () => {
    await using silent = await listen(() => undefined);
    const early = AbortSignal.abort();
    expect(await failure({ ...sshd.resolved, port: silent.port }, { signal: early })).toMatchObject({
      code: "aborted",
    });
    expect(silent.sockets.size).toBe(0);

    const controller = new AbortController();
    const attempt = failure({ ...sshd.resolved, port: silent.port }, { signal: controller.signal });
    await until(() => silent.sockets.size === 1);
    controller.abort();
    expect(await attempt).toMatchObject({ code: "aborted" });
    await until(() => silent.sockets.size === 0);

    // during key exchange and login with a real server: after 0, 1, 2… turns of the clock
    for (let wait = 0; wait < 40; wait += 4) {
      const during = new AbortController();
      const opening = openTransport(sshd.resolved, { ...OPTIONS, signal: during.signal });
      setTimeout(() => during.abort(), wait);
      await opening.then(
        (transport) => transport.close(),
        (error: RemoteError) => expect(error.code).toBe("aborted"),
      );
    }
    await until(() => sshd.connections().length === 0);
  });

  it("says connection_lost when the host hangs up during the key exchange", async () => {
    await using rude = await listen((socket) => {
      socket.write("SSH-2.0-Rude_1.0\r\n");
      socket.once("data", () => setTimeout(() => socket.end(), 20));
    });
    expect(await failure({ ...sshd.resolved, port: rude.port })).toMatchObject({
      code: "connection_lost",
      details: { stage: "key exchange", server: "SSH-2.0-Rude_1.0" },
    });
  });

  it.each([
    ["key exchange", "KexAlgorithms sntrup761x25519-sha512@openssh.com", ["sntrup761x25519-sha512@openssh.com"]],
    ["mac", "Ciphers aes256-ctr\nMACs umac-128-etm@openssh.com", ["umac-128-etm@openssh.com"]],
  ])(
    "says no_common_algorithm for a server whose %s ssh2 does not have, and lists its offer",
    async (kind, extraConfig, offered) => {
      await using modern = await startSshd({ extraConfig });
      const error = await failure(modern.resolved);
      expect(error.code).toBe("no_common_algorithm");
      expect(error.details).toMatchObject({ kind, offered: expect.arrayContaining(offered) });
    },
  );
});
