import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { signedRequest, testKey } from "../../test/fixtures/stub.js";
import { Approvers } from "./approvers.js";

const DAY = 24 * 3600 * 1000;
const MINUTE = 60 * 1000;
const key = testKey();

let directory: string;
let wall: number;
let uptime: number;
let approvers: Approvers;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "ocrs-approvers-"));
  await writeFile(join(directory, `${key.keyID}.pub`), Buffer.from(key.publicKey).toString("base64"));
  wall = Date.UTC(2030, 0, 1);
  uptime = 0;
  approvers = new Approvers({ directory, instanceID: "i", now: () => wall, uptime: () => uptime });
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe.each([1, -1])("where the wall clock jumps by %i day", (days) => {
  it("a secret neither dies at once nor lives for ever: it ends 15 minutes after its last use", async () => {
    const { approver } = await approvers.exchange(signedRequest(key, "i", { time: wall }));
    wall += days * DAY;
    expect(approvers.identify(approver)).toBe(key.keyID);
    uptime += 14 * MINUTE;
    expect(approvers.identify(approver)).toBe(key.keyID);
    uptime += 15 * MINUTE;
    expect(() => approvers.identify(approver)).toThrow(expect.objectContaining({ code: "approver_expired" }));
  });
});

it("a signature that was used is not good again when the clock is set back to its time", async () => {
  const request = signedRequest(key, "i", { time: wall });
  await approvers.exchange(request);
  wall += DAY;
  uptime += DAY;
  // Another exchange in between forgets what is old.
  await approvers.exchange(signedRequest(key, "i", { time: wall }));
  wall -= DAY;
  await expect(approvers.exchange(request)).rejects.toMatchObject({ code: "approver_required" });
});
