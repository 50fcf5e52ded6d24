import { expect, it } from "vitest";
import { chooseLevel, enforcementAt, type Trials } from "./levels.js";

const no = (reason: string) => ({ ok: false, reason });
const yes = { ok: true };
const all: Trials = {
  landlockAbi: 7,
  notify: true,
  levels: { "mount+landlock": yes, landlock: yes, mount: yes, guard: yes },
};
const without = (names: (keyof Trials["levels"])[], rest: Partial<Trials> = {}): Trials => ({
  ...all,
  ...rest,
  levels: { ...all.levels, ...Object.fromEntries(names.map((name) => [name, no(`no ${name}`)])) },
});

it("the best level that worked is taken: mount+landlock, landlock, mount, guard, then static", () => {
  expect(chooseLevel(all)).toEqual({ level: "mount+landlock", ask: true, landlockAbi: 7, reason: undefined });
  expect(chooseLevel(without(["mount+landlock", "mount"])).level).toBe("landlock");
  expect(chooseLevel(without(["mount+landlock", "landlock"])).level).toBe("mount");
  expect(chooseLevel(without(["mount+landlock", "landlock", "mount"])).level).toBe("guard");
  expect(chooseLevel(without(["mount+landlock", "landlock", "mount", "guard"])).level).toBe("static");
});

it("a level that is not the best says what the better ones lack", () => {
  const { level, reason } = chooseLevel(without(["mount+landlock", "landlock"]));
  expect({ level, reason }).toEqual({
    level: "mount",
    reason: "mount+landlock: no mount+landlock; landlock: no landlock",
  });
});

it("nothing is asked during a run where the kernel cannot pause a call, but by the tracer of guard", () => {
  expect(chooseLevel({ ...all, notify: false }).ask).toBe(false);
  const guard = chooseLevel(without(["mount+landlock", "landlock", "mount"], { notify: false }));
  expect(guard).toMatchObject({ level: "guard", ask: true });
});

it("a forced level that works is taken and says so; one that does not is an error; static and off need no trial", () => {
  expect(chooseLevel(all, "landlock")).toMatchObject({ level: "landlock", reason: expect.stringContaining("--level") });
  expect(() => chooseLevel(without(["mount"]), "mount")).toThrow("level mount cannot be had on this host: no mount");
  expect(chooseLevel(without(["mount"]), "static")).toMatchObject({ level: "static", ask: false });
  expect(enforcementAt(chooseLevel(all, "off"), true)).toMatchObject({
    level: "off",
    gaps: expect.arrayContaining(["unconfined"]),
  });
});
