// The loopback port for curl: bytes to the stub and back, closed with the link.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { describe, expect, it } from "vitest";
import { bundledStub } from "../../plugin/bootstrap/manifest.js";
import { openLocalPort } from "../../plugin/tunnel/local-port.js";
import { makeLaptop } from "./fixtures/laptop.js";
import { freePort } from "./fixtures/ports.js";
import { hasSshd, sshdReason } from "./fixtures/sshd.js";
import { startStubHost } from "./fixtures/stub-host.js";

const run = promisify(execFile);
const real = bundledStub();
const ROOT = join(import.meta.dirname, "../..");
const OPENCODE = join(ROOT, "node_modules/opencode-linux-x64/bin/opencode");

describe.skipIf(!hasSshd)(`the local port (${sshdReason})`, () => {
  it("answers curl as the stub does, one request after the other and several at once", async () => {
    await using host = await startStubHost();
    await using laptop = await makeLaptop();
    const { link } = laptop.link(host.sshd.resolved, real);
    const identity = await link.ready();
    const local = await openLocalPort(link);
    const ask = async (...args: string[]) =>
      JSON.parse((await run("curl", ["-s", ...args, `${local.url}/global/health`])).stdout);
    const token = ["-H", `authorization: Bearer ${identity.token}`];
    const answers = await Promise.all(Array.from({ length: 8 }, () => ask(...token)));
    for (const each of answers) expect(each.stub.instanceID).toBe(identity.instanceID);
    // The pipe judges nothing: the stub refuses whoever has no token, or comes from a page.
    expect(await ask()).toMatchObject({ code: "unauthorized" });
    expect(await ask(...token, "-H", "origin: http://evil.example")).toMatchObject({ code: "foreign_origin" });
    await local.close();
    await expect(run("curl", ["-s", local.url])).rejects.toThrow();
  });

  it("is closed with the link", async () => {
    await using host = await startStubHost();
    await using laptop = await makeLaptop();
    const { link } = laptop.link(host.sshd.resolved, real);
    await link.ready();
    const local = await openLocalPort(link);
    await link.close();
    await expect(run("curl", ["-s", local.url])).rejects.toThrow();
  });

  it("takes the first free port of its range, and says so where there is none", async () => {
    await using laptop = await makeLaptop();
    await using host = await startStubHost();
    const { link } = laptop.link(host.sshd.resolved, real);
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const { port } = taken.address() as AddressInfo;
    await expect(openLocalPort(link, [port, port])).rejects.toMatchObject({ code: "EBUSY" });
    const free = await freePort();
    const local = await openLocalPort(link, [free, free + 20]);
    expect(local.port).toBeGreaterThanOrEqual(free);
    await local.close();
    taken.close();
  });

  it.skipIf(!existsSync(OPENCODE))("loses no first bytes under OpenCode's Bun (needs opencode-linux-x64)", async () => {
    await using host = await startStubHost();
    const directory = await mkdtemp(join(tmpdir(), "ocr-bun-"));
    try {
      const script = `
        import { bundledStub } from ${JSON.stringify(join(ROOT, "plugin/bootstrap/manifest.ts"))};
        import { HostsFile } from ${JSON.stringify(join(ROOT, "plugin/laptop/hosts-file.ts"))};
        import { statePaths } from ${JSON.stringify(join(ROOT, "plugin/laptop/state-directory.ts"))};
        import { loadApprover } from ${JSON.stringify(join(ROOT, "plugin/laptop/approver-key.ts"))};
        import { openTransport } from ${JSON.stringify(join(ROOT, "plugin/ssh/ssh2/open.ts"))};
        import { StubClient } from ${JSON.stringify(join(ROOT, "plugin/stub-client/client.ts"))};
        import { SshLink } from ${JSON.stringify(join(ROOT, "plugin/tunnel/ssh-link.ts"))};
        import { openLocalPort } from ${JSON.stringify(join(ROOT, "plugin/tunnel/local-port.ts"))};
        const { host, home, bundle } = JSON.parse(process.env.TASK);
        const paths = statePaths({}, home);
        const make = () => new SshLink({
          host, open: openTransport, connectTimeoutMs: 10000, keepaliveMs: 5000, hosts: new HostsFile(paths), stub: () => bundledStub(bundle),
        });
        const cold = make();
        await cold.ready();
        const reports = [cold.report.warm];
        await cold.close();
        const link = make();
        const { token, instanceID } = await link.ready();
        reports.push(link.report.warm);
        const client = new StubClient(link, await loadApprover(paths));
        const direct = (await client.health()).stub.instanceID === instanceID;
        const local = await openLocalPort(link);
        const same = [];
        for (let i = 0; i < 20; i++) {
          const answer = await fetch(local.url + "/global/health", { headers: { authorization: "Bearer " + token, connection: "close" } });
          same.push((await answer.json()).stub.instanceID === instanceID);
        }
        await client.close();
        await link.close();
        console.log(JSON.stringify({ bun: typeof Bun !== "undefined", reports, direct, same }));
        process.exit(0);
      `;
      const outfile = join(ROOT, ".cache", `bun-test-${process.pid}.mjs`);
      await build({
        stdin: { contents: script, resolveDir: ROOT, loader: "ts" },
        bundle: true,
        platform: "node",
        format: "esm",
        outfile,
        external: ["cpu-features", "*.node"],
        alias: { undici: join(ROOT, "node_modules/undici/index.js") },
        banner: { js: 'import { createRequire as r } from "node:module"; const require = r(import.meta.url);' },
      });
      const task = JSON.stringify({ host: host.sshd.resolved, home: directory, bundle: join(ROOT, "dist") });
      const env = { ...process.env, BUN_BE_BUN: "1", TASK: task };
      const { stdout } = await run(OPENCODE, [outfile], { env, cwd: directory }).finally(() =>
        rm(outfile, { force: true }),
      );
      expect(JSON.parse(stdout)).toEqual({
        bun: true,
        reports: [false, true],
        direct: true,
        same: Array(20).fill(true),
      });
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});
