// A text of plain words is executed without a shell. Nobody may notice: each is compared with what bash makes of it.
import { spawnSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { directWords } from "../../stub/commands/direct.js";
import { commandApp, run } from "../fixtures/command-app.js";
import { cCompiler } from "../fixtures/helper-binary.js";

const compiler = await cCompiler();

describe.skipIf(compiler === undefined)("a command of plain words (needs a C compiler)", () => {
  it("prints and ends exactly as under bash, also where it cannot be executed", async () => {
    await using app = await commandApp();
    const bin = join(app.folder, "bin");
    await mkdir(join(bin, "directory"), { recursive: true });
    await writeFile(join(bin, "plain-script"), 'echo "args $*"; [[ a == [ab] ]] && echo bash; exit 5\n', {
      mode: 0o755,
    });
    await writeFile(join(bin, "shebang-script"), '#!/bin/sh\necho "$0 $#"; exit 6\n', { mode: 0o755 });
    await writeFile(join(bin, "missing-interpreter"), "#!/no/such/interpreter\n", { mode: 0o755 });
    await writeFile(join(bin, "not-executable"), "echo never\n", { mode: 0o644 });
    await writeFile(join(bin, "killed"), "#!/bin/sh\nkill -9 $$\n", { mode: 0o755 });
    const env = { PATH: `${bin}:/usr/local/bin:/usr/bin:/bin` };
    const texts = [
      "true",
      "false",
      "echo hi there",
      "ls -a bin",
      "printenv HOME PATH PWD",
      "plain-script a b",
      "./bin/plain-script a",
      "shebang-script x",
      "missing-interpreter",
      "not-executable",
      "./bin/not-executable",
      "./bin/directory",
      "directory",
      "no-such-program-at-all --flag",
      "./missing/program",
    ];
    for (const text of texts) {
      expect([text, directWords(text, ["PATH"])]).not.toEqual([text, undefined]);
      const ours = await run(app, { command: text, env });
      const bash = spawnSync("bash", ["-c", text], { cwd: app.folder, env: { ...env, HOME: app.folder } });
      const plain = (bytes: Buffer) => bytes.toString().replaceAll(/^(\/\S*\/)?bash: /gm, "bash: ");
      expect([text, plain(ours.stdout), plain(ours.stderr), ours.end?.exit]).toEqual([
        text,
        plain(bash.stdout),
        plain(bash.stderr),
        bash.status,
      ]);
    }
    expect((await run(app, { command: "killed", env })).end).toMatchObject({ state: "killed", signal: "SIGKILL" });
  });

  it("goes through the shell where the environment carries functions or a file to be read first", async () => {
    await using app = await commandApp();
    await writeFile(join(app.folder, "first.sh"), "echo read first\n");
    const named = await run(app, { command: "true", env: { BASH_ENV: join(app.folder, "first.sh") } });
    expect(named.stdout.toString()).toBe("read first\n");
    const over = await run(app, { command: "ls anything", env: { "BASH_FUNC_ls%%": "() { echo mine $1; }" } });
    expect(over.stdout.toString()).toBe("mine anything\n");
  });
});
