// The transport inside OpenCode's Bun, bundled as the plugin is: there is where it lives.
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startScript } from "../fixtures/bundled-script.js";
import { hasSshd, type Sshd, sshdReason, startSshd } from "./fixtures/sshd.js";

const ROOT = join(import.meta.dirname, "../..");
const OPENCODE = join(ROOT, "node_modules/opencode-linux-x64/bin/opencode");

const SCRIPT = `
import { once } from "node:events";
import { openTransport } from "./plugin/ssh/ssh2/open.ts";
import { parseConfig } from "./plugin/config/parse-config.ts";

const { host, socket, wrong, encrypted } = JSON.parse(process.env.TASK);
const options = { connectTimeoutMs: 10000, keepaliveMs: 5000 };
const text = async (stream) => {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
};
const failed = (resolved, more) => openTransport(resolved, { ...options, ...more }).then(() => "opened", (error) => error.code);
const transport = await openTransport(host, options);
const channel = await transport.exec("cat; echo err >&2; exit 5");
channel.stdin.end("through bun");
const [stdout, stderr, end] = await Promise.all([text(channel.stdout), text(channel.stderr), channel.closed]);
const bulk = await transport.exec("head -c 5000000 /dev/zero");
bulk.stderr.resume();
const bytes = (await text(bulk.stdout)).length;
const stream = await transport.openSocket(socket);
stream.cork();
stream.write("one ");
stream.write("two");
stream.uncork();
const [echo] = await once(stream, "data");
stream.destroy();
const lost = new Promise((resolve) => transport.onClose((reason) => resolve(reason?.code)));
const dying = await transport.exec("kill -9 $PPID; sleep 600");
const broken = await text(dying.stdout).then(() => "end", (error) => error.code);
console.log(JSON.stringify({
  bun: typeof Bun !== "undefined", stdout, stderr, end, bytes, echo: echo.toString(), lost: await lost, broken,
  refused: await failed(wrong),
  passphrase: await failed(encrypted, { askPassphrase: async () => "wrong" }),
  root: parseConfig({}).installRoot,
}));
`;

describe.skipIf(!hasSshd || !existsSync(OPENCODE))(
  `under OpenCode's Bun (needs opencode-linux-x64; ${sshdReason})`,
  () => {
    let directory: string;
    let sshd: Sshd;
    let locked: Sshd;
    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), "ocr-bun-"));
      [sshd, locked] = await Promise.all([startSshd(), startSshd({ passphrase: "open sesame" })]);
    });
    afterAll(async () => {
      await Promise.all([sshd.stop(), locked.stop()]);
      await rm(directory, { recursive: true, force: true });
    });

    it("runs commands, forwards a unix socket, notices the loss of the connection, and refuses as under Node", async () => {
      const socket = join(directory, "echo.sock");
      const server = createServer((each) => each.pipe(each)).listen(socket);
      const wrong = { ...sshd.resolved, knownHostsFiles: [] };
      const task = { host: sshd.resolved, socket, wrong, encrypted: locked.resolved };
      await using script = await startScript("Bun", SCRIPT, task);
      const { value: line } = await script.lines.next();
      const ended = await script.ended;
      server.close();
      expect(ended).toEqual({ code: 0, stderr: "" });
      expect(JSON.parse(line)).toEqual({
        bun: true,
        stdout: "through bun",
        stderr: "err\n",
        end: { code: 5, signal: null },
        bytes: 5_000_000,
        echo: "one two",
        lost: "connection_lost",
        broken: "connection_lost",
        refused: "host_key_unknown",
        passphrase: "passphrase_wrong",
        root: "~/.opencode-remote-ssh",
      });
    });
  },
);
