import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AuditLog } from "./audit.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ocrs-audit-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("the audit log", () => {
  it("keeps lines across restarts and gives the last ones, oldest first", async () => {
    for (const name of ["one", "two"]) {
      const audit = new AuditLog(join(folder, "audit.log"));
      audit.write({ event: "command", command: name });
      audit.close();
    }
    const audit = new AuditLog(join(folder, "audit.log"));
    audit.write({ event: "command", command: "three\nwith a newline" });
    const lines = (await audit.tail(2))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).command);
    expect(lines).toEqual(["two", "three\nwith a newline"]);
    expect((await stat(join(folder, "audit.log"))).mode & 0o777).toBe(0o600);
    audit.close();
  });

  it("is set aside at 5 MB, and the tail reads across the cut", async () => {
    const audit = new AuditLog(join(folder, "audit.log"));
    const padding = "x".repeat(1024 * 1024);
    for (let round = 0; round < 6; round += 1) audit.write({ event: "command", command: `${round}${padding}` });
    expect((await readdir(folder)).sort()).toEqual(["audit.log", "audit.log.1"]);
    expect((await stat(join(folder, "audit.log.1"))).size).toBeLessThanOrEqual(5 * 1024 * 1024);
    const starts = (await audit.tail(4))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).command[0]);
    expect(starts).toEqual(["2", "3", "4", "5"]);
    audit.close();
  });
});
