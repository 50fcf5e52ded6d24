import { createHash } from "node:crypto";
import { mkdtemp, rename, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkedHelper } from "./helper-binary.js";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ocrs-helper-"));
  path = join(folder, "helper");
});
afterEach(() => rm(folder, { recursive: true }));

const good = Buffer.from("what was built");
const sha256 = createHash("sha256").update(good).digest("hex");
const damaged = expect.objectContaining({ code: "helper_damaged" });

describe("the helper before a start", () => {
  it("is what was built", async () => {
    await writeFile(path, good);
    expect(checkedHelper(path, sha256)).toBe(path);
    expect(checkedHelper(path, sha256)).toBe(path);
  });

  it("is refused with one other byte, also after it was right, and with its old size and times", async () => {
    await writeFile(path, good);
    await utimes(path, 1, 1);
    checkedHelper(path, sha256);
    const other = Buffer.from(good);
    other[3] = (other[3] ?? 0) ^ 1;
    await writeFile(path, other);
    await utimes(path, 1, 1);
    expect(() => checkedHelper(path, sha256)).toThrow(damaged);
    await writeFile(path, good);
    expect(checkedHelper(path, sha256)).toBe(path);
    await writeFile(`${path}.new`, other);
    await rename(`${path}.new`, path);
    expect(() => checkedHelper(path, sha256)).toThrow(damaged);
  });

  it("is refused where it is not there", () => {
    expect(() => checkedHelper(path, sha256)).toThrow(damaged);
  });

  it("is not looked at by a stub that runs from its sources", () => {
    expect(checkedHelper("/no/such/helper")).toBe("/no/such/helper");
  });
});
