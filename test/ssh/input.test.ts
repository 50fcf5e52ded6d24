// The input of a command through a real sshd and the real stub, while people's networks do what they do: all of it arrives,
// once and in order.
import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunnerSession } from "../../plugin/runner/runner.js";
import { newID } from "../../protocol/ids.js";
import { type FarHost, startFarHost } from "./fixtures/far-host.js";
import { hasSshd, sshdReason } from "./fixtures/sshd.js";

const SLOW_MACHINE_MS = 180_000;
const MB = 1024 * 1024;

describe.skipIf(!hasSshd)(`the input of a command whose connection is lost (${sshdReason})`, () => {
  let far: FarHost;
  beforeAll(async () => {
    far = await startFarHost();
  }, SLOW_MACHINE_MS);
  afterAll(() => far?.[Symbol.asyncDispose](), 60_000);

  it(
    "arrives whole though the connection is killed 8 times in the middle of it, while what it prints comes back",
    async () => {
      const { link, session } = await far.connect();
      const bytes = randomBytes(24 * MB);
      const points = Array.from({ length: 8 }, () => Math.random() * bytes.length).sort((one, other) => one - other);
      let kills = 0;
      const input = async function* () {
        for (let from = 0; from < bytes.length; from += 60_000) {
          yield bytes.subarray(from, from + 60_000);
          if (from < (points[0] ?? Number.POSITIVE_INFINITY)) continue;
          points.shift();
          kills += 1;
          // the network resets, or the server's process dies: by turns
          if (kills % 2 === 0) far.wan.cut();
          else far.host.sshd.killConnections();
        }
      };
      const { sum, result } = await copied(session, input());
      expect(kills).toBeGreaterThan(4);
      expect(result).toMatchObject({ state: "exited", exit: 0, stdoutBytes: bytes.length });
      expect(sum).toBe(createHash("sha256").update(bytes).digest("hex"));
      await link.close();
    },
    SLOW_MACHINE_MS,
  );

  it(
    "goes on through a link that is silent, which is found dead and made anew",
    async () => {
      const { link, session, progress } = await far.connect({ keepaliveMs: 200 });
      const bytes = randomBytes(4 * MB);
      const input = async function* () {
        yield bytes.subarray(0, MB);
        far.wan.stall();
        setTimeout(() => far.wan.resume(), 3000);
        yield bytes.subarray(MB);
      };
      const { sum } = await copied(session, input());
      expect(progress.some((text) => text.startsWith("reconnecting to test-host…"))).toBe(true);
      expect(sum).toBe(createHash("sha256").update(bytes).digest("hex"));
      await link.close();
    },
    SLOW_MACHINE_MS,
  );
});

/** The sum of what `cat` gave back. */
async function copied(session: RunnerSession, input: AsyncIterable<Uint8Array>) {
  const hash = createHash("sha256");
  let at = 0;
  const result = await session.runCommand({
    commandID: newID("cmd"),
    command: "cat",
    input,
    onOutput: ({ offset, data }) => {
      if (offset !== at) throw new Error(`byte ${offset} came after byte ${at}`);
      at += data.length;
      hash.update(data);
    },
  });
  return { result, sum: hash.digest("hex") };
}
