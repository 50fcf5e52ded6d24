// Attacks on the stub itself, through the real stub over a real sshd: its state, its token, its API, its process. The control of
// each is the same command, run unconfined once.
import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CliHost, canRunCli, cliReason } from "../cli/fixtures/cli-host.js";
import { compileOnce } from "../fixtures/compile-once.js";
import { isRoot } from "../ssh/fixtures/users.js";

interface StubAttack {
  className: string;
  name: string;
  /** Bash; prints ESCAPED if it got what it was after, or leaves a file `planted`. $I is the install root, $M a tool (mischief). */
  text: string;
}

const token = 'token=$(cat "$I/run/stub.token")';
const port = `port=$(sed -n 's/.*"port": *\\([0-9]*\\).*/\\1/p' "$I/run/stub.json")`;
const pid = 'pid=$(cut -d" " -f1 "$I/run/stub.pid" 2>/dev/null || pgrep -f "$I" | head -n 1)';
const attack = (className: string, attacks: Record<string, string>): StubAttack[] =>
  Object.entries(attacks).map(([name, text]) => ({ className, name, text }));

const ATTACKS: StubAttack[] = [
  ...attack("the stub's files", {
    "reading the token": 'grep -qE "^[0-9a-f]{64}" "$I/run/stub.token" && echo ESCAPED',
    "reading where it listens": 'grep -q instanceID "$I/run/stub.json" && echo ESCAPED',
    "an approver of its own": 'mkdir -p "$I/state/approvers" && echo key > "$I/state/approvers/planted"',
    "an approval of its own": 'mkdir -p "$I/state/approvals" && echo {} > "$I/state/approvals/planted"',
    "another binary": 'cp /bin/true "$I/bin/planted"',
    "writing into the audit log": 'echo nothing >> "$I/log/audit.log" && echo ESCAPED',
    "the files of other commands": 'find "$I/state/commands" -type f | grep -q . && echo ESCAPED',
  }),
  ...attack("the stub's API", {
    "over its socket": `${token}; curl -sf --unix-socket "$I/run/stub.sock" -H "authorization: Bearer $token" http://127.0.0.1/global/health | grep -q healthy && echo ESCAPED`,
    "over TCP": `${token}; ${port}; curl -sf -H "authorization: Bearer $token" "http://127.0.0.1:$port/global/health" | grep -q healthy && echo ESCAPED`,
    "the pending asks": `${token}; ${port}; curl -sf -H "authorization: Bearer $token" "http://127.0.0.1:$port/permission" && echo ESCAPED`,
    "the workspaces": `${token}; ${port}; curl -sf -H "authorization: Bearer $token" "http://127.0.0.1:$port/experimental/workspace" && echo ESCAPED`,
    "by bash alone": `${token}; ${port}; exec 5<>"/dev/tcp/127.0.0.1/$port"; printf 'GET /global/health HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\nConnection: close\\r\\nAuthorization: Bearer %s\\r\\n\\r\\n' "$token" >&5; grep -q healthy <&5 && echo ESCAPED`,
  }),
  ...attack("the stub's process", {
    "tracing it": `${pid}; [ -n "$pid" ] && "$M" seize "$pid" 0 >/dev/null 2>&1 && echo ESCAPED`,
    "its memory": `${pid}; [ -n "$pid" ] && { exec 5<"/proc/$pid/mem"; } 2>/dev/null && echo ESCAPED`,
    "its environment": `${pid}; [ -n "$pid" ] && tr '\\0' '\\n' <"/proc/$pid/environ" | grep -q = && echo ESCAPED`,
    "its descriptors": `${pid}; [ -n "$pid" ] && ls -l "/proc/$pid/fd" | grep -q socket && echo ESCAPED`,
    "its root directory": `${pid}; [ -n "$pid" ] && ls "/proc/$pid/root$I" | grep -q run && echo ESCAPED`,
    "signalling it": `${pid}; [ -n "$pid" ] && kill -CONT "$pid" && echo ESCAPED`,
  }),
];

/** The token and the pid of the stub are no secret to an attack that has a friend outside: it is told them. */
describe.skipIf(!canRunCli || !isRoot)(`attacks on the stub (${cliReason}, and root)`, () => {
  let host: CliHost;
  let project: string;

  beforeAll(async () => {
    host = await CliHost.start();
    project = await host.project();
    const tool = join(import.meta.dirname, "attacks/mischief");
    const program = await compileOnce("mischief-x64", tool, {
      compiler: "gcc",
      flags: ["-static", "-no-pie", "-pthread"],
    });
    await mkdir(join(project, "tools"));
    await copyFile(program, join(project, "tools/mischief"));
  }, 240_000);
  afterAll(async () => {
    await host?.stop();
  }, 60_000);

  const run = async (text: string, ...options: string[]) => {
    const place = `I=${host.installRoot}; M=${project}/tools/mischief; stub=${await host.stubPid()}`;
    const told = text.replaceAll(pid, "pid=$stub");
    const result = await host.laptop.run("exec", "box", "--cwd", project, ...options, "--", `${place}\n${told}`);
    const output = result.stdout.toString() + result.stderr;
    return { output, escaped: output.includes("ESCAPED") || (await removePlanted()) };
  };
  /** Whether a file was left there on the host: a view of level `mount` may show a directory of that name that is the command's. */
  const removePlanted = async () => {
    let found = false;
    for (const folder of ["state/approvers", "state/approvals", "bin"]) {
      const file = join(host.installRoot, folder, "planted");
      found ||= existsSync(file);
      await rm(file, { force: true });
    }
    return found;
  };

  it("control: unconfined, every one succeeds", { timeout: 300_000 }, async () => {
    const failed: string[] = [];
    for (const { className, name, text } of ATTACKS) {
      const { output, escaped } = await run(text, "--unconfined", "--yes");
      if (!escaped) failed.push(`${className}: ${name}: ${output}`);
    }
    expect(failed).toEqual([]);
  });

  for (const level of ["mount+landlock", "mount", "landlock"]) {
    it(`level ${level}: none succeeds, though the user is root`, { timeout: 300_000 }, async () => {
      await host.restartStub("--level", level);
      const through: string[] = [];
      for (const { className, name, text } of ATTACKS) {
        const { output, escaped } = await run(text);
        if (escaped) through.push(`${className}: ${name}: ${output}`);
      }
      expect(through).toEqual([]);
      // they ran, and were refused
      expect((await run("echo ran")).output).toContain("ran");
    });

    it(`level ${level}: a command has no descriptors but its own three`, { timeout: 120_000 }, async () => {
      const { output } = await run(
        'for f in /proc/self/fd/*; do n=$(basename "$f"); [ "$n" -gt 2 ] && [ "$n" != 255 ] && readlink "$f"; done; true',
      );
      expect(output.split("\n").filter((line) => line.startsWith("/") && !line.startsWith("/proc/"))).toEqual([]);
    });
  }

  it("docs/security.md: the five commands do what it says", { timeout: 120_000 }, async () => {
    // the home of this host lies below /tmp, which is a command's own in a view
    await host.restartStub("--level", "landlock");
    const page = await readFile(join(import.meta.dirname, "../../docs/security.md"), "utf8");
    const verify = async (words: string, say: string | RegExp) => {
      expect(page).toContain(`opencode-remote-ssh ${words}`);
      const line = `cli ${words.replace("HOST", "box").replace("DIR", project)}`;
      const { stdout, stderr } = await host.laptop.shell(line);
      expect(stdout.toString() + stderr).toMatch(say);
    };
    await verify("status HOST", /enforcement (mount|landlock)/);
    await verify(
      `exec HOST --cwd DIR -- 'grep -E "NoNewPrivs|Seccomp:|CapEff" /proc/self/status'`,
      /CapEff:\s[0-9a-f]+\nNoNewPrivs:\s1\nSeccomp:\s2/,
    );
    const refused = /denied|not approved|permission_required|No such file|Read-only/i;
    await verify(`exec HOST --cwd DIR -- 'cat "$(printf %s/.ssh/authorized_keys ~)"'`, refused);
    await verify(`exec HOST --cwd DIR -- 'echo x > "$(echo ..)/outside"'`, refused);
    await verify("audit HOST", /echo x/);
  });
});
