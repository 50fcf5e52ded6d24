// `helper confine --level guard`: the program becomes the command, a tracer in the background holds it. As root, and as an ordinary user.
import { chown, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { isAlive } from "../../stub/commands/watch.js";
import { BASE, confine, ORDINARY, outcomeOf } from "../fixtures/confined.js";
import { onOlderKernel } from "../fixtures/older-kernel.js";
import { eventually, killIfAlive, processName } from "../fixtures/processes.js";
import { describe } from "../fixtures/with-compiler.js";

const isRoot = process.getuid?.() === 0;
const USERS = [
  { who: "an ordinary user", uid: isRoot ? ORDINARY : undefined },
  ...(isRoot ? [{ who: "root", uid: undefined }] : []),
];

describe.each(USERS)("a command of $who, confined at guard", ({ uid }) => {
  let top: string; // holds `in`, which is approved, and `out`, which is not
  beforeEach(async () => {
    top = await realpath(await mkdtemp(join(tmpdir(), "ocrs-guard-")));
    for (const name of ["in", "out"]) {
      await mkdir(join(top, name));
      await writeFile(join(top, name, "secret"), `secret of ${name}\n`);
    }
    if (uid !== undefined)
      for (const name of ["", "in", "out", "in/secret", "out/secret"]) await chown(join(top, name), uid, uid);
  });
  afterEach(() => rm(top, { recursive: true, force: true }));
  const identity = uid === undefined ? {} : { uid };
  const held = (script: string, { report = false, before = [] as string[] } = {}) => {
    const options = ["--level", "guard", ...(report ? ["--report"] : []), ...BASE, "--rw", join(top, "in")];
    return confine([...options, "--", "sh", "-c", script], { cwd: top, before, ...identity });
  };
  const free = (script: string) => outcomeOf(["sh", "-c", script], { cwd: top, ...identity });

  it("reads and writes what was approved, and is refused the rest, each by its real path", async () => {
    const ran = await held("cat in/secret; echo x > in/new; cat out/secret; echo x > in/../out/new; rm out/secret", {
      report: true,
    });
    expect(ran).toMatchObject({ status: 1, stdout: "secret of in\n" });
    const refused = ran.stderr.split("\n").filter((line) => line.includes(top) && line.startsWith("refused"));
    expect(refused).toEqual([
      `refused open read ${top}/out/secret`,
      `refused open write ${top}/out/new`,
      `refused unlink write ${top}/out/secret`,
    ]);
    expect(await readFile(join(top, "out/secret"), "utf8")).toBe("secret of out\n");
    expect((await free("cat out/secret && echo x > out/new && rm out/secret")).status).toBe(0);
  });

  it.each(["rhel8", "centos7"] as const)("is held by what %s has, too", async (kernel) => {
    if (process.arch !== "x64") return; // the numbers are those of x64
    const ran = await held("cat in/secret out/secret", { before: await onOlderKernel(kernel) });
    expect(ran).toMatchObject({ status: 1, stdout: "secret of in\n" });
  });

  it.each([
    "exit 7",
    "kill -9 $$",
    "kill -HUP $$",
    "no-such-program",
    "ulimit -c 0; kill -ABRT $$",
    "sleep 0.1 & wait; jobs",
  ])("%s: ends as it does unconfined", async (script) => {
    expect(await held(script)).toEqual(await free(script));
  });

  it("what it leaves behind goes on, and is still held; its end is not waited for", async () => {
    const ran = await held(
      `(until [ -e in/gate ]; do sleep 0.02; done; cat out/secret; cat in/secret) > in/late 2>&1 & echo $!`,
    );
    const left = await processName(Number(ran.stdout));
    expect(left && isAlive(left)).toBe(true);
    await writeFile(join(top, "in/gate"), "");
    await eventually("its end", () => left !== undefined && !isAlive(left));
    expect(await readFile(join(top, "in/late"), "utf8")).toMatch(/Permission denied\nsecret of in\n$/);
  });

  it("a tracer that is killed takes what it traced with it; it is no child of the command", async () => {
    const ran = await held(
      "sleep 600 > /dev/null 2>&1 & grep TracerPid /proc/$!/status; ps -o pid= --ppid $$ | wc -l; echo $!",
    );
    const [, tracer, children, pid] = /(\d+)\s+(\d+)\s+(\d+)/.exec(ran.stdout) ?? [];
    const sleeper = await processName(Number(pid));
    expect(Number(children)).toBe(3); // sleep, ps, wc
    expect(sleeper && isAlive(sleeper)).toBe(true);
    await killIfAlive(await processName(Number(tracer)));
    await eventually("its end", () => sleeper !== undefined && !isAlive(sleeper));
  });

  it("a program that hides its memory opens nothing, rather than everything", async () => {
    const hide = "import ctypes; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)";
    const script = `${hide}
for path in "in/secret", "out/secret":
  try: print(open(path).read())
  except PermissionError: print("refused")`;
    const ran = await held(`python3 -c '${script}'`);
    expect(ran.stdout).toBe(uid === undefined ? "secret of in\n\nrefused\n" : "refused\nrefused\n");
  });
});
