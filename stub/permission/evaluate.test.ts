import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { covers } from "./evaluate.js";

const component = fc.stringMatching(/^[a-z]{1,3}$/);
const path = fc.array(component, { minLength: 1, maxLength: 4 }).map((names) => `/${names.join("/")}`);

describe("an approval", () => {
  it("of a directory covers itself and what is below it, by component", () => {
    fc.assert(
      fc.property(path, component, (root, name) => {
        const rule = { path: root, access: "read", kind: "directory" } as const;
        expect(covers(rule, root, "read")).toBe(true);
        expect(covers(rule, `${root}/${name}`, "read")).toBe(true);
        expect(covers(rule, `${root}${name}`, "read")).toBe(false);
      }),
    );
  });

  it("covers nothing that is not below it", () => {
    fc.assert(
      fc.property(path, path, (root, other) => {
        const names = root.split("/");
        const below = names.every((name, index) => other.split("/")[index] === name);
        expect(covers({ path: root, access: "write", kind: "directory" }, other, "read")).toBe(below);
      }),
    );
  });

  it("to read is none to write; one to write is one to read", () => {
    fc.assert(
      fc.property(path, fc.constantFrom("file" as const, "directory" as const), (place, kind) => {
        expect(covers({ path: place, access: "read", kind }, place, "write")).toBe(false);
        expect(covers({ path: place, access: "write", kind }, place, "read")).toBe(true);
      }),
    );
  });

  it("of a file covers that file alone", () => {
    expect(covers({ path: "/a/f", access: "write", kind: "file" }, "/a/f/x", "read")).toBe(false);
  });
});
