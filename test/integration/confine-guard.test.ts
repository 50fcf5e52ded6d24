// Level `guard`: the helper traces its command (stub/native/confine/guard.h).
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CommandApp, run } from "../fixtures/command-app.js";
import { guard, guardedApp, guardPolicy, type Home, scratchHome } from "../fixtures/guarded.js";
import { cCompiler } from "../fixtures/helper-binary.js";

const compiler = await cCompiler();

describe.skipIf(compiler === undefined)("level guard (needs a C compiler)", () => {
  let place: Home & AsyncDisposable;
  let app: CommandApp;
  beforeAll(async () => {
    place = await scratchHome();
    await mkdir(join(place.home, "other"));
    await writeFile(join(place.home, "other/secret"), "secret\n");
    await writeFile(join(place.project, "file"), "hello\n");
    await symlink("../other", join(place.project, "link"));
    const policy = await guardPolicy([place.project, place.temporary]);
    app = await guardedApp(async () => guard(policy));
  });
  afterAll(async () => {
    await app[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  });
  const shell = (command: string) => run(app, { command, cwd: place.project });

  it("what is approved is read and written, and nothing is said to be blocked", async () => {
    const ran = await shell("cat file && echo new > made && cat made && mkdir -p a/b && mv made a/b/ && rm -r a");
    expect(ran.stderr.toString()).toBe("");
    expect(ran.stdout.toString()).toBe("hello\nnew\n");
    expect(ran.end).toMatchObject({ state: "exited", exit: 0 });
    expect(ran.end?.blocked).toBeUndefined();
  });

  it("what is not is refused, and named by its real path", async () => {
    const ran = await shell("cat ../other/secret; cat link/secret; echo x > link/new");
    expect(ran.stdout.toString()).toBe("");
    expect(ran.stderr.toString()).toMatch(/Permission denied/);
    expect(ran.end?.blocked).toEqual([
      { path: join(place.home, "other/secret"), access: "read", operation: "open" },
      { path: join(place.home, "other/new"), access: "write", operation: "open" },
    ]);
    expect(await readFile(join(place.home, "other/secret"), "utf8")).toBe("secret\n");
  });
});
