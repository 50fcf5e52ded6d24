// Level `guard` stops what honest commands do wrong, and names it. Each mistake has a control: unconfined it happens.
import { lstat, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CommandRecord } from "../../protocol/command.js";
import type { Confinement } from "../../stub/commands/request.js";
import { type CommandApp, run } from "../fixtures/command-app.js";
import { guard, guardedApp, guardPolicy, scratchHome } from "../fixtures/guarded.js";
import { cCompiler, onPath } from "../fixtures/helper-binary.js";
import { layHome, MISTAKES, type Mistake, pictureOf, SECRET } from "../fixtures/honest-mistakes.js";

const compiler = await cCompiler();
const bash = await onPath("bash");

interface Outcome {
  /** When all that it started has ended. */
  record: CommandRecord;
  stderr: string;
  /** The home outside the project is another than before. */
  changed: boolean;
  /** The secret was printed, or is in the project. */
  leaked: boolean;
  home: string;
}

/** Of a file, not of what a link there leads to. */
async function ownText(path: string): Promise<string> {
  const found = await lstat(path).catch(() => undefined);
  return found?.isFile() ? readFile(path, "utf8") : "";
}

describe.skipIf(compiler === undefined || !bash)("honest mistakes at level guard (needs a C compiler and bash)", () => {
  let app: CommandApp;
  let confinement: Confinement | undefined;
  beforeAll(async () => {
    app = await guardedApp(async () => confinement);
  });
  afterAll(() => app[Symbol.asyncDispose]());

  async function commit({ script }: Mistake, guarded: boolean): Promise<Outcome> {
    await using place = await scratchHome();
    const { home, project, temporary } = place;
    await layHome(home, project);
    const except = [project, temporary];
    const before = await pictureOf(home, except);
    confinement = guarded ? guard(await guardPolicy([project, temporary])) : undefined;
    const env = { HOME: home, TMPDIR: temporary, npm_config_update_notifier: "false", PYTHONDONTWRITEBYTECODE: "1" };
    const ran = await run(app, { argv: ["bash", "-c", script], cwd: project, env });
    const record = await app.commands.get(ran.end?.commandID ?? "")?.settled;
    if (record === undefined) throw new Error(`it did not run: ${ran.error?.message}`);
    const changed = JSON.stringify(await pictureOf(home, except)) !== JSON.stringify(before);
    const printed = [
      ran.stdout.toString(),
      ...(await Promise.all(["secret", "here"].map((name) => ownText(join(project, name))))),
    ];
    return {
      record,
      stderr: ran.stderr.toString(),
      changed,
      leaked: printed.some((text) => text.includes(SECRET)),
      home,
    };
  }

  it.each(MISTAKES)("$name", async (mistake) => {
    const control = await commit(mistake, false);
    expect(control.record.blocked).toBeUndefined();
    expect(mistake.reads ? control.leaked : control.changed, control.stderr).toBe(true);

    const { record, stderr, changed, leaked, home } = await commit(mistake, true);
    expect({ changed, leaked }, stderr).toEqual({ changed: false, leaked: false });
    const reached = join(home, mistake.reaches);
    const blocked = record.blocked ?? [];
    const named = blocked.filter(({ path }) => path === reached || path.startsWith(`${reached}/`.replace("//", "/")));
    expect(named, JSON.stringify(blocked)).not.toEqual([]);
    expect(named.map(({ access }) => access)).toContain(mistake.access);
  });
});
