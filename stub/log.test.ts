import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openLog } from "./log.js";

it("the log holds no secret that is logged under its name, is 0600, and is set aside when it has grown", async () => {
  const folder = await mkdtemp(join(tmpdir(), "ocrs-log-"));
  try {
    const path = join(folder, "stub.log");
    await writeFile(path, "x".repeat(6 * 1024 * 1024), { mode: 0o644 });
    const log = openLog(path);
    const secret = "s3cr3t-value";
    const headers = { authorization: `Bearer ${secret}`, "x-approver": secret, accept: "text/plain" };
    log.info({ token: secret, headers, req: { headers }, stub: { token: secret } }, "a request");
    const text = await readFile(path, "utf8");
    expect(text).not.toContain(secret);
    expect(text).toContain("text/plain");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await readdir(folder)).sort()).toEqual(["stub.log", "stub.log.1"]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
