// The login environment, from real login shells with rc files as people have them.
import { accessSync } from "node:fs";
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readLoginEnvironment } from "../../stub/commands/environment.js";
import { findShell } from "../../stub/commands/shell.js";
import { commandApp, run } from "../fixtures/command-app.js";
import { cCompiler, helperBinary } from "../fixtures/helper-binary.js";

const compiler = await cCompiler();
const exists = (name: string) => findExecutable(name) !== undefined;

function findExecutable(name: string): string | undefined {
  for (const folder of ["/", "/bin", "/usr/bin", "/usr/local/bin"]) {
    try {
      accessSync(join(folder, name));
      return join(folder, name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  return undefined;
}

describe.skipIf(compiler === undefined)("the login environment (needs a C compiler)", () => {
  let home: string;
  beforeEach(async () => {
    home = await realpath(await mkdtemp(join(tmpdir(), "ocrs-login-")));
  });
  afterEach(() => rm(home, { recursive: true, force: true }));

  const read = async (shell: string, base: Record<string, string> = {}, limitMs = 5000) =>
    readLoginEnvironment({
      helper: await helperBinary(),
      shell,
      base: { HOME: home, PATH: "/usr/bin:/bin", USER: "someone", ...base },
      limitMs,
    });

  it("is what bash's login files make it, whatever they print", async () => {
    await writeFile(join(home, ".bash_profile"), "echo WELCOME; export FROM_PROFILE=yes; . ~/.bashrc\n");
    await writeFile(
      join(home, ".bashrc"),
      'case $- in *i*) ;; *) return;; esac\necho "banner $RANDOM"; export PATH="$HOME/bin:$PATH" MULTI=$\'a\\nb\'; umask 027\n',
    );
    const found = await read("/bin/bash");
    expect(found).toMatchObject({ source: "interactive", problem: undefined, umask: 0o027 });
    expect(found.env).toMatchObject({ FROM_PROFILE: "yes", MULTI: "a\nb", HOME: home, USER: "someone" });
    expect(found.env.PATH?.startsWith(`${home}/bin:`)).toBe(true);
  });

  it.skipIf(!exists("tcsh"))("is read from tcsh too (needs tcsh)", async () => {
    await writeFile(join(home, ".tcshrc"), 'echo hello; setenv FROM_TCSH "two words"\n');
    await writeFile(join(home, ".login"), "setenv FROM_LOGIN 1\n");
    const found = await read(findExecutable("tcsh") ?? "");
    expect(found).toMatchObject({ source: "login", env: { FROM_TCSH: "two words", FROM_LOGIN: "1" } });
  });

  it.skipIf(!exists("fish"))("is read from fish too (needs fish)", async () => {
    await mkdir(join(home, ".config/fish"), { recursive: true });
    await writeFile(join(home, ".config/fish/config.fish"), "echo hello\nset -gx FROM_FISH 1\n");
    const found = await read(findExecutable("fish") ?? "");
    expect(found).toMatchObject({ source: "interactive", env: { FROM_FISH: "1" } });
  });

  it.skipIf(!exists("dash"))("is read from a plain POSIX shell (needs dash)", async () => {
    await writeFile(join(home, ".profile"), "export FROM_DASH=1\n");
    expect(await read(findExecutable("dash") ?? "")).toMatchObject({ source: "interactive", env: { FROM_DASH: "1" } });
  });

  for (const name of ["sh", "dash", "bash", "zsh", "csh", "tcsh", "fish"]) {
    const shell = findExecutable(name);
    it.skipIf(shell === undefined)(
      `is read from ${name} where the path of the stub is hard to quote (needs ${name})`,
      async () => {
        for (const hard of ["it's", "back\\slash", "new\nline", "!bang", "'\"$HOME`id` \\' !!"]) {
          const helper = join(home, hard, "helper");
          await mkdir(join(home, hard));
          await symlink(await helperBinary(), helper);
          const base = { HOME: home, PATH: "/usr/bin:/bin", OUTSIDE: "it's" };
          const found = await readLoginEnvironment({ helper, shell: shell ?? "", base });
          const source = name.endsWith("csh") ? "login" : "interactive";
          expect(found, hard).toMatchObject({ source, problem: undefined, env: { OUTSIDE: "it's" } });
          expect(Object.keys(found.env).filter((key) => key.startsWith("OPENCODE_"))).toEqual([]);
        }
      },
    );
  }

  it("falls back to the plain login shell where the interactive one hangs, and says so", async () => {
    await writeFile(join(home, ".bash_profile"), "export PLAIN=1; . ~/.bashrc\n");
    await writeFile(join(home, ".bashrc"), "case $- in *i*) sleep 600;; esac\n");
    const found = await read("/bin/bash", {}, 2000);
    expect(found).toMatchObject({ source: "login", env: { PLAIN: "1" } });
    expect(found.problem).toContain("took too long");
  });

  it("falls back to a plain default where the shell hangs, ends early or does not exist", async () => {
    await writeFile(join(home, ".bash_profile"), "exit 3\n");
    for (const shell of ["/bin/bash", "/usr/sbin/nologin-missing"]) {
      const found = await read(shell, { LANG: "C.UTF-8" });
      expect(found).toMatchObject({ source: "default", problem: expect.stringContaining(shell) });
      expect(found.env).toMatchObject({ PATH: "/usr/bin:/bin", HOME: home, USER: "someone", LANG: "C.UTF-8" });
    }
    await writeFile(join(home, ".bash_profile"), "sleep 600\n");
    expect(await read("/bin/bash", {}, 400)).toMatchObject({ source: "default" });
  });

  it("passes on nothing of ours, nor of the connection that started the stub", async () => {
    const base = {
      OPENCODE_REMOTE_SSH_PARTS: "/x",
      OPENCODE_SERVER_PASSWORD: "secret",
      SSH_CLIENT: "1.2.3.4 5 22",
      SSH_TTY: "/dev/pts/9",
      SSH_AUTH_SOCK: "/tmp/ssh-forwarded/agent.1",
    };
    const { env } = await read("/bin/bash", base);
    for (const name of Object.keys(base)) expect(env).not.toHaveProperty(name);
    await writeFile(join(home, ".bash_profile"), "export SSH_AUTH_SOCK=$HOME/agent.sock\n");
    expect((await read("/bin/bash", base)).env.SSH_AUTH_SOCK).toBe(`${home}/agent.sock`);
  });

  it("keeps bash from sourcing ~/.bashrc on every command, which SSH_CLIENT would make it do", async () => {
    await writeFile(join(home, ".bashrc"), "echo sourced\n");
    const login = { shell: "/bin/bash", base: { HOME: home, PATH: process.env.PATH, SSH_CLIENT: "1.2.3.4 5 22" } };
    await using app = await commandApp({ login });
    expect((await run(app, "echo plain;")).stdout.toString()).toBe("plain\n");
    const naive = await run(app, { command: "echo plain;", env: { SSH_CLIENT: "1.2.3.4 5 22" } });
    // the naive way; other distributions build bash without SSH_SOURCE_BASHRC
    expect(naive.stdout.toString()).toBe(exists("/etc/debian_version") ? "sourced\nplain\n" : "plain\n");
  });

  it("runs text under bash where there is one, else under sh", async () => {
    await using app = await commandApp();
    expect((await run(app, "[[ y == [xy] ]] && echo bash")).stdout.toString()).toBe("bash\n");
    await symlink("/bin/sh", join(home, "bash"));
    expect(findShell({ PATH: `relative:${home}:/bin` })).toBe(join(home, "bash"));
    expect(findShell({})).toMatch(/\/bash$|^\/bin\/sh$/);
  });

  it("gives commands the umask of the login, not that of the stub", async () => {
    await writeFile(join(home, ".profile"), "umask 031\n");
    await using app = await commandApp({ login: { shell: "/bin/sh", base: { HOME: home, PATH: process.env.PATH } } });
    expect((await run(app, "umask")).stdout.toString()).toBe("0031\n");
  });
});
