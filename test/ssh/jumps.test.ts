// Through jump hosts: each is checked and logged in to like any other.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openTransport } from "../../plugin/ssh/ssh2/open.js";
import type { OpenOptions, ResolvedHost } from "../../plugin/ssh/transport.js";
import type { RemoteError } from "../../protocol/errors.js";
import { freePort } from "./fixtures/ports.js";
import { hasSshd, type Sshd, sshdReason, startSshd } from "./fixtures/sshd.js";
import { finish } from "./fixtures/text.js";

const OPTIONS: OpenOptions = { connectTimeoutMs: 10_000, keepaliveMs: 5_000 };

describe.skipIf(!hasSshd)(`jump hosts (${sshdReason})`, () => {
  let inner: Sshd;
  let gate: Sshd;
  let outer: Sshd;
  beforeAll(async () => {
    [inner, gate, outer] = await Promise.all([
      startSshd({ env: { WHO: "inner" } }),
      startSshd({ env: { WHO: "gate" } }),
      startSshd({ env: { WHO: "outer" } }),
    ]);
  });
  afterAll(() => Promise.all([inner.stop(), gate.stop(), outer.stop()]));

  const failure = (host: ResolvedHost, options: Partial<OpenOptions> = {}): Promise<RemoteError> =>
    openTransport(host, { ...OPTIONS, ...options }).then(
      () => Promise.reject(new Error("it connected")),
      (error: RemoteError) => error,
    );
  const allGone = async () => {
    while ([inner, gate, outer].some((sshd) => sshd.connections().length > 0)) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };

  it("reaches a host through two others, and leaves no connection on any of them", async () => {
    const transport = await openTransport({ ...inner.resolved, jumps: [outer.resolved, gate.resolved] }, OPTIONS);
    expect(await finish(await transport.exec("echo $WHO; echo $SSH_CONNECTION"))).toMatchObject({
      stdout: expect.stringMatching(new RegExp(`^inner\n127.0.0.1 \\d+ 127.0.0.1 ${inner.port}\n$`)),
    });
    for (const sshd of [inner, gate, outer]) expect(sshd.connections().length).toBeGreaterThan(0);
    await transport.close();
    await allGone();
  });

  it("refuses a jump host whose key has changed, before anything is sent to it", async () => {
    const file = join(gate.directory, "kh-wrong");
    await writeFile(file, (inner.hostKeys[0] ?? "").replace(/^/, `[127.0.0.1]:${gate.port} `));
    const jump = { ...gate.resolved, knownHostsFiles: [file] };
    expect(await failure({ ...inner.resolved, jumps: [jump] })).toMatchObject({ code: "host_key_changed" });
    expect(await gate.log()).not.toMatch(/Accepted publickey .* [\s\S]*Accepted publickey .* port 1$/m);
    await allGone();
  });

  it("refuses the host behind a jump whose key has changed, though the jump is trusted", async () => {
    const file = join(inner.directory, "kh-wrong");
    await writeFile(file, (gate.hostKeys[0] ?? "").replace(/^/, `[127.0.0.1]:${inner.port} `));
    const host = { ...inner.resolved, knownHostsFiles: [file], jumps: [gate.resolved] };
    expect(await failure(host)).toMatchObject({ code: "host_key_changed", details: { file, line: 1 } });
    await allGone();
  });

  it("says which host on the way refused the login", async () => {
    const jump = { ...gate.resolved, identityFiles: [inner.identityFile] };
    const error = await failure({ ...inner.resolved, jumps: [outer.resolved, jump] });
    expect(error.code).toBe("auth_failed");
    expect(error.message).toContain(
      `on the way to ${inner.user}@127.0.0.1:${inner.port}: ${gate.user}@127.0.0.1:${gate.port}`,
    );
    await allGone();
  });

  it("tells a jump host that may not forward from one that cannot reach the next", async () => {
    await using shut = await startSshd({ extraConfig: "AllowTcpForwarding no" });
    expect(await failure({ ...inner.resolved, jumps: [shut.resolved] })).toMatchObject({
      code: "proxy_failed",
      details: { reason: 1 },
    });
    const nobody = { ...inner.resolved, port: await freePort(), jumps: [gate.resolved] };
    expect(await failure(nobody)).toMatchObject({ code: "host_unreachable", details: { reason: 2 } });
    await allGone();
  });

  it("notices the loss of a jump host as the loss of the connection", async () => {
    const transport = await openTransport({ ...inner.resolved, jumps: [gate.resolved] }, OPTIONS);
    const lost = new Promise<Error | undefined>((resolve) => transport.onClose(resolve));
    gate.killConnections();
    expect(await lost).toMatchObject({ code: "connection_lost" });
    await allGone();
  });

  it("takes everything down when the caller aborts on the way", async () => {
    for (let wait = 0; wait < 100; wait += 10) {
      const controller = new AbortController();
      const opening = openTransport(
        { ...inner.resolved, jumps: [outer.resolved, gate.resolved] },
        { ...OPTIONS, signal: controller.signal },
      );
      setTimeout(() => controller.abort(), wait);
      await opening.then(
        (transport) => transport.close(),
        (error: RemoteError) => expect(error.code).toBe("aborted"),
      );
    }
    await allGone();
  });
});
