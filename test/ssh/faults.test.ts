// What people's networks and machines do to a command that runs: through a real sshd and the real stub. Each time nothing
// is lost and nothing is doubled: every byte once and in order, one end, and what the command did it did once.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { OutputChunk } from "../../plugin/runner/runner.js";
import { newID } from "../../protocol/ids.js";
import { type FarHost, startFarHost } from "./fixtures/far-host.js";
import { hasSshd, sshdReason } from "./fixtures/sshd.js";
import { waitUntil } from "./fixtures/stub-host.js";

const SLOW_MACHINE_MS = 180_000;

describe.skipIf(!hasSshd)(`a command whose connection is lost (${sshdReason})`, () => {
  let far: FarHost;
  let count = 0;
  beforeAll(async () => {
    far = await startFarHost();
  }, SLOW_MACHINE_MS);
  afterAll(() => far?.[Symbol.asyncDispose](), 60_000);

  /** Counts its runs in a file beside. */
  const counted = (command: string) => {
    count += 1;
    const file = join(far.project, `runs-${count}`);
    return { command: `echo x >> ${file}; ${command}`, runs: async () => (await readFile(file, "utf8")).length / 2 };
  };
  const commandsOf = async (commandID: string) =>
    (await far.audit()).filter((line) => line.commandID === commandID).map((line) => line.event);

  it(
    "arrives whole though the connection is killed 10 times at random points of its life, printing slowly (row 16)",
    async () => {
      const { link, session } = await far.connect();
      const { command, runs } = counted(
        "for i in $(seq 1 600); do echo out $i; echo err $i >&2; [ $((i % 5)) = 0 ] && sleep 0.05; done; exit 9",
      );
      const commandID = newID("cmd");
      const [out, err] = [new Lines("out "), new Lines("err ")];
      let over = false;
      const running = session.runCommand({
        commandID,
        command,
        onOutput: (piece) => (piece.stream === "stdout" ? out : err).take(piece),
      });
      const killing = (async () => {
        await waitUntil(() => out.last > 0, "it prints");
        let kills = 0;
        while (kills < 10 && !over) {
          await new Promise((resolve) => setTimeout(resolve, Math.random() * 400));
          // the server's process dies, or the network resets: by turns
          if (kills % 2 === 1) far.wan.cut();
          else if (far.host.sshd.killConnections().length === 0) continue;
          kills += 1;
        }
        return kills;
      })();
      const result = await running;
      over = true;
      expect(await killing).toBe(10);
      expect(result).toMatchObject({ state: "exited", exit: 9, stdoutBytes: out.bytes, stderrBytes: err.bytes });
      expect([out.last, err.last, await runs()]).toEqual([600, 600, 1]);
      expect(await commandsOf(commandID)).toEqual(["command", "exit"]);
      await link.close();
    },
    SLOW_MACHINE_MS,
  );

  it(
    "arrives whole though the connection is killed 10 times while it prints megabytes",
    async () => {
      const { link, session } = await far.connect();
      const { command, runs } = counted("seq 1 4000000");
      const size = 30_888_896;
      const output = new Lines("");
      const points = Array.from({ length: 10 }, () => Math.random() * size).sort((one, other) => one - other);
      let kills = 0;
      const result = await session.runCommand({
        commandID: newID("cmd"),
        command,
        onOutput: (piece) => {
          output.take(piece);
          if (output.bytes < (points[0] ?? Number.POSITIVE_INFINITY)) return;
          points.shift();
          kills += 1;
          if (kills % 2 === 0) far.wan.cut();
          else far.host.sshd.killConnections();
        },
      });
      expect(kills).toBeGreaterThan(5);
      expect(result).toMatchObject({ exit: 0, stdoutBytes: size });
      expect([output.last, output.bytes, await runs()]).toEqual([4_000_000, size, 1]);
      await link.close();
    },
    SLOW_MACHINE_MS,
  );

  it(
    "starts once though the link is cut around the moment in which it is sent, 30 times",
    async () => {
      const { link, session } = await far.connect();
      await session.runCommand({ commandID: newID("cmd"), command: "true" });
      const file = join(far.project, "started");
      const ids: string[] = [];
      for (let round = 0; round < 30; round++) {
        const commandID = newID("cmd");
        ids.push(commandID);
        const command = `echo ${commandID} >> ${file}; echo ${round}`;
        let output = "";
        const running = session.runCommand({
          commandID,
          command,
          onOutput: ({ data }) => {
            output += Buffer.from(data).toString();
          },
        });
        // before it is sent, on its way, when it has arrived, when its answer is on the way
        if (round % 5 > 0) await new Promise((resolve) => setTimeout(resolve, Math.random() * 8));
        far.wan.cut();
        expect(await running).toMatchObject({ state: "exited", exit: 0 });
        expect(output).toBe(`${round}\n`);
      }
      expect((await readFile(file, "utf8")).trim().split("\n")).toEqual(ids);
      await link.close();
    },
    SLOW_MACHINE_MS,
  );

  it(
    "goes on through a link that is silent, which is found dead and made anew",
    async () => {
      await silent({ keepaliveMs: 200, ms: 3000 });
    },
    SLOW_MACHINE_MS,
  );

  it(
    "goes on through 45 s of silence with the keepalive of real life (row 16)",
    async () => {
      await silent({ keepaliveMs: 5000, ms: 45_000 });
    },
    SLOW_MACHINE_MS,
  );

  async function silent({ keepaliveMs, ms }: { keepaliveMs: number; ms: number }): Promise<void> {
    const { link, session, progress } = await far.connect({ keepaliveMs });
    const steps = Math.ceil(ms / 100) + 20;
    const { command, runs } = counted(`for i in $(seq 1 ${steps}); do echo $i; sleep 0.1; done`);
    const output = new Lines("");
    const running = session.runCommand({ commandID: newID("cmd"), command, onOutput: output.take });
    await waitUntil(() => output.last > 3, "it prints");
    far.wan.stall();
    await new Promise((resolve) => setTimeout(resolve, ms));
    expect(link.state).toBe("reconnecting");
    far.wan.resume();
    expect(await running).toMatchObject({ exit: 0 });
    expect(progress.some((text) => text.startsWith("reconnecting to test-host…"))).toBe(true);
    expect([output.last, await runs()]).toEqual([steps, 1]);
    await link.close();
  }

  it(
    "ends on the host when the plugin's process is killed under it; the next process finds its whole log by its id",
    async () => {
      const commandID = newID("cmd");
      const { command, runs } = counted("seq 1 1000; sleep 2; seq 1001 2000; exit 5");
      const killed = far.start({ commandID, command });
      await waitUntil(() => killed.output().endsWith("\n1000\n"), "it printed the first half");
      process.kill(killed.pid, "SIGKILL");
      expect(await killed.ended).toBeNull();
      const { link, session } = await far.connect();
      const rest = new Lines("", killed.output().length, 1000);
      const from = { stdout: killed.output().length, stderr: 0 };
      const result = await session.followCommand(commandID, { from, onOutput: rest.take });
      expect(result).toMatchObject({ commandID, state: "exited", exit: 5 });
      const all = new Lines("");
      await session.followCommand(commandID, { onOutput: all.take });
      expect([rest.last, all.last, await runs()]).toEqual([2000, 2000, 1]);
      await link.close();
    },
    SLOW_MACHINE_MS,
  );

  it(
    "is not disturbed by other processes of the same laptop, nor by another laptop, on the same host",
    async () => {
      const other = await mkdtemp(join(tmpdir(), "ocr-other-"));
      try {
        const go = join(far.project, "go-all");
        const command = (name: string) =>
          `seq 1 300; touch at-${name}; while [ ! -e ${go} ]; do sleep 0.05; done; seq 301 600; exit 3`;
        const [one, two, theirs] = [
          far.start({ commandID: newID("cmd"), command: command("one") }),
          far.start({ commandID: newID("cmd"), command: command("two") }),
          far.start({ commandID: newID("cmd"), command: command("theirs"), home: other, workspaceID: newID("wrk") }),
        ] as const;
        const all = [one, two, theirs];
        await waitUntil(() => all.every((each) => each.output().endsWith("\n300\n")), "all three print");
        far.host.sshd.killConnections();
        process.kill(one.pid, "SIGKILL");
        await writeFile(go, "");
        expect([await two.ended, await theirs.ended]).toEqual([3, 3]);
        const whole = Array.from({ length: 600 }, (_, index) => `${index + 1}\n`).join("");
        expect([two.output(), theirs.output()]).toEqual([whole, whole]);
      } finally {
        await rm(other, { recursive: true, force: true });
      }
    },
    SLOW_MACHINE_MS,
  );
});

/** Numbered lines, checked as they come: none may be missing, come twice or out of order. */
class Lines {
  bytes: number;
  last: number;
  readonly #prefix: string;
  #rest = "";

  constructor(prefix: string, bytes = 0, last = 0) {
    this.#prefix = prefix;
    this.bytes = bytes;
    this.last = last;
  }

  readonly take = ({ offset, data }: OutputChunk): void => {
    if (offset !== this.bytes) throw new Error(`byte ${offset} came after byte ${this.bytes}`);
    this.bytes += data.length;
    const lines = (this.#rest + Buffer.from(data).toString()).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      this.last += 1;
      if (line !== `${this.#prefix}${this.last}`) throw new Error(`"${line}" in place of ${this.#prefix}${this.last}`);
    }
  };
}
