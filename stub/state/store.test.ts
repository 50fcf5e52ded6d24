import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { Type } from "typebox";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { canMount, reason } from "../../test/binary/fixtures/needs.js";
import { smallDisk } from "../../test/fixtures/small-disk.js";
import { Problems } from "../problems.js";
import { JsonStore } from "./store.js";

const Note = Type.Object({ text: Type.String() });
const log = { warn: () => undefined };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ocrs-store-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function open(directory = folder) {
  const problems = new Problems();
  const store = await JsonStore.open(directory, Note, { log, problems });
  return { store, problems: async () => (await problems.list()).map(({ code, path }) => [code, path] as const) };
}

const all = (store: JsonStore<typeof Note>) => Object.fromEntries(store.ids().map((id) => [id, store.get(id)?.text]));

describe("a state file that this stub cannot use", () => {
  it.each([
    ["half a file", '{"version":1,"val'],
    ["an empty file", ""],
    ["another shape", '{"version":1,"value":{"text":7}}'],
    ["no version", '{"value":{"text":"a"}}'],
    ["an older version", '{"version":0,"value":{"text":"a"}}'],
  ])(
    "%s is set aside whole, told at this start and at the next, and its id is free again (row 37)",
    async (_, text) => {
      await writeFile(join(folder, "a.json"), text);
      const first = await open();
      const [aside = ""] = await readdir(folder);
      expect(aside).toMatch(/^a\.json\.bad-\d+$/);
      expect(await readFile(join(folder, aside), "utf8")).toBe(text);
      expect([all(first.store), await first.problems()]).toEqual([{}, [["state_set_aside", join(folder, aside)]]]);
      await first.store.set("a", { text: "new" });
      const second = await open();
      expect([all(second.store), await second.problems()]).toEqual([
        { a: "new" },
        [["state_set_aside", join(folder, aside)]],
      ]);
      expect(second.store.wasSetAside("a")).toBe(true);
    },
  );

  it("one that cannot be read at all (a directory, a link in a circle) is set aside, too", async () => {
    await mkdir(join(folder, "dir.json"));
    await symlink("loop.json", join(folder, "loop.json"));
    await writeFile(join(folder, "good.json"), '{"version":1,"value":{"text":"g"}}');
    const { store, problems } = await open();
    expect(all(store)).toEqual({ good: "g" });
    expect((await problems()).map(([code]) => code)).toEqual(["state_set_aside", "state_set_aside"]);
    expect((await readdir(folder)).sort()).toEqual([
      expect.stringMatching(/^dir\.json\.bad-/),
      "good.json",
      expect.stringMatching(/^loop\.json\.bad-/),
    ]);
  });

  it("one that a newer stub wrote stays as it is: not read, not overwritten, not deleted, and told", async () => {
    const text = '{"version":2,"value":{"colour":"red"}}\n';
    await writeFile(join(folder, "a.json"), text);
    const { store, problems } = await open();
    expect([store.get("a"), store.isNewer("a")]).toEqual([undefined, true]);
    await expect(store.set("a", { text: "mine" })).rejects.toMatchObject({ code: "state_newer", status: 409 });
    await expect(store.delete("a")).rejects.toMatchObject({ code: "state_newer" });
    expect(await readFile(join(folder, "a.json"), "utf8")).toBe(text);
    expect(await problems()).toEqual([["state_newer", join(folder, "a.json")]]);
  });

  it("what an interrupted save left behind is removed, and nothing else", async () => {
    await writeFile(join(folder, ".a.json.0123456789ab.tmp"), "half");
    await writeFile(join(folder, ".mine"), "");
    await open();
    expect(await readdir(folder)).toEqual([".mine"]);
  });
});

describe.skipIf(!canMount)(`a save that fails${reason(canMount, "root that may mount")}`, () => {
  it("on a full disk: a coded error, memory and file as they were, and later it works (row 37)", async () => {
    await using disk = await smallDisk("size=256k");
    const { store } = await open(join(disk.path, "notes"));
    await store.set("a", { text: "old" });
    await disk.fill();
    const large = "x".repeat(32 * 1024);
    await expect(store.set("a", { text: large })).rejects.toMatchObject({ code: "ENOSPC", status: 507 });
    await expect(store.set("b", { text: large })).rejects.toMatchObject({ code: "ENOSPC" });
    expect(all(store)).toEqual({ a: "old" });
    expect(await readdir(join(disk.path, "notes"))).toEqual(["a.json"]);
    expect(all((await open(join(disk.path, "notes"))).store)).toEqual({ a: "old" });
    await disk.free();
    await store.set("a", { text: large });
    expect(all((await open(join(disk.path, "notes"))).store)).toEqual({ a: large });
  });

  it("on a disk that became read-only: a coded error, nothing is changed, nothing is forgotten (row 37)", async () => {
    await using disk = await smallDisk("size=256k");
    const { store } = await open(join(disk.path, "notes"));
    await store.set("a", { text: "old" });
    disk.readOnly(true);
    await expect(store.set("a", { text: "new" })).rejects.toMatchObject({ code: "EROFS" });
    await expect(store.set("b", { text: "new" })).rejects.toMatchObject({ code: "EROFS" });
    await expect(store.delete("a")).rejects.toMatchObject({ code: "EROFS" });
    expect(all(store)).toEqual({ a: "old" });
    disk.readOnly(false);
    await store.delete("a");
    expect(all((await open(join(disk.path, "notes"))).store)).toEqual({});
  });
});

describe("any row of saves and removals, many at once", () => {
  it("leaves in memory and on disk what the last one of each id said", async () => {
    const id = fc.constantFrom("a", "b", "c");
    const operation = fc.record({ id, text: fc.option(fc.string({ maxLength: 20 })), wait: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 12 }), async (operations) => {
        const directory = await mkdtemp(join(folder, "case-"));
        const { store } = await open(directory);
        const expected: Record<string, string> = {};
        const pending: Promise<void>[] = [];
        for (const { id, text, wait } of operations) {
          if (text === null) delete expected[id];
          else expected[id] = text;
          pending.push(text === null ? store.delete(id) : store.set(id, { text }));
          if (wait) await pending.at(-1);
        }
        await Promise.all(pending);
        expect(all(store)).toEqual(expected);
        expect(all((await open(directory)).store)).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });
});
