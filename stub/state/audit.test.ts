import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
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

  it("keeps four older files, all of them private, whatever the file was before", async () => {
    await writeFile(join(folder, "audit.log"), "", { mode: 0o644 });
    const audit = new AuditLog(join(folder, "audit.log"));
    const padding = "x".repeat(4 * 1024 * 1024);
    for (let round = 0; round < 8; round += 1) audit.write({ event: "command", command: `${round}${padding}` });
    const names = ["audit.log", "audit.log.1", "audit.log.2", "audit.log.3", "audit.log.4"];
    expect((await readdir(folder)).sort()).toEqual(names);
    for (const name of names) expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600);
    const starts = (await audit.tail(100))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).command[0]);
    expect(starts).toEqual(["3", "4", "5", "6", "7"]);
    audit.close();
  });

  it("gives what is not older than a time, across the files", async () => {
    const line = (time: string) => `${JSON.stringify({ time, event: "exit" })}\n`;
    await writeFile(join(folder, "audit.log.1"), line("2026-01-01T00:00:00.000Z") + line("2026-01-02T00:00:00.000Z"));
    await writeFile(
      join(folder, "audit.log"),
      `torn${line("2026-01-03T00:00:00.000Z")}${line("2026-01-04T00:00:00.000Z")}`,
    );
    const audit = new AuditLog(join(folder, "audit.log"));
    const since = async (date: string) => (await audit.tail(10, Date.parse(date))).match(/01-0\d/g);
    expect(await since("2026-01-02")).toEqual(["01-02", "01-04"]);
    expect(await since("2026-01-04")).toEqual(["01-04"]);
    expect(await since("2026-01-05")).toBe(null);
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
