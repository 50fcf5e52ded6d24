// The kernel's levels against the same commands unconfined, by the real helper; and `true` at the default level through the tunnel.
import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import type { Confinement } from "../stub/commands/request.js";
import { run } from "../test/fixtures/command-app.js";
import { guardedApp, guardPolicy, scratchHome } from "../test/fixtures/guarded.js";
import { confined } from "../test/fixtures/levels.js";
import { FILES, layOut, WORK } from "./guard.js";
import type { BenchHost } from "./host.js";
import { latency } from "./latency.js";
import type { Report } from "./report.js";
import { interleave, median } from "./samples.js";

const LEVEL_ASK = 8;
const OPENS = 20_000;
const RIPGREP = createRequire(import.meta.url).resolve("@vscode/ripgrep-linux-x64/bin/rg");

type Variants = Record<string, Confinement | undefined>;

/** Of `true`, in milliseconds on top of unconfined. */
const TRUE_LIMITS: Record<string, number> = { landlock: 0.5, mount: 1, "mount+landlock": 1 };

export async function confine(host: BenchHost, report: Report): Promise<void> {
  await latency(host, report, {
    title: "`true` at the default level, loopback, hot",
    rounds: 400,
    warmup: 300,
    enforcement: "best",
    limit: 2,
  });
  await byHelper(report);
}

async function byHelper(report: Report): Promise<void> {
  await using place = await scratchHome();
  await layOut(place.project);
  const policy = await guardPolicy([place.project, place.temporary], { read: [dirname(RIPGREP)] });
  const asking = (level: Confinement) => ({ ...level, level: level.level | LEVEL_ASK, askWaitMs: 1000 });
  const held: Record<string, Confinement> = {
    landlock: confined("landlock", policy),
    mount: confined("mount", policy),
    "mount+landlock": confined("mount+landlock", policy),
    "landlock, asking": asking(confined("landlock", policy)),
    "mount+landlock, asking": asking(confined("mount+landlock", policy)),
  };
  const all: Variants = { free: undefined, ...held };
  let level: Confinement | undefined;
  await using app = await guardedApp(async () => level);
  const env = { HOME: place.home, TMPDIR: place.temporary };
  const once = async (argv: string[], at: Confinement | undefined, status = 0) => {
    level = at;
    const { end, error } = await run(app, { argv, cwd: place.project, env });
    if (end?.exit !== status || end.blocked !== undefined) {
      throw new Error(`${argv.join(" ")}: ${JSON.stringify(end ?? error)}`);
    }
  };
  const medians = async (argv: string[], rounds: number, variants: Variants, status = 0) => {
    const work = Object.fromEntries(
      Object.entries(variants).map(([name, at]) => [name, () => once(argv, at, status)] as const),
    );
    const samples = await interleave(work, { rounds, warmup: Math.min(rounds, 20) });
    return (name: string) => median(samples[name] ?? []);
  };

  report.section("the kernel's levels against unconfined, by the helper itself");
  const quick = await medians(["sh", "-c", "true"], 200, all);
  for (const name of Object.keys(held)) {
    const limit = TRUE_LIMITS[name];
    const value = quick(name) - quick("free");
    const note = `${quick("free").toFixed(2)} ms unconfined`;
    report.add({ name: `\`true\` at ${name}: more than unconfined`, value, unit: "ms", limit, note });
  }
  const fresh = await medians(["sh", "-c", "true"], 30, { kept: held["mount+landlock"] });
  const build = await interleave(
    {
      each: () =>
        once(["sh", "-c", "true"], { ...confined("mount+landlock", policy), key: randomBytes(16).toString("hex") }),
    },
    { rounds: 30, warmup: 3 },
  );
  const value = median(build.each ?? []) - fresh("kept");
  report.add({ name: "building a policy's namespaces and rule set, once", value, unit: "ms" });

  const search = await medians([RIPGREP, "-c", "nothing at all", "tree"], 15, all, 1);
  for (const name of Object.keys(held)) {
    const limit = name === "landlock" ? 1.1 : undefined;
    report.add({
      name: `rg, ${FILES.searched} files, at ${name}`,
      value: search(name) / search("free"),
      unit: "x",
      limit,
    });
  }

  const opens = ["python3", "-c", `import os\nfor i in range(${OPENS}): os.close(os.open("tree/0/0.txt", 0))`];
  const opened = await medians(opens, 5, all);
  for (const name of ["landlock", "mount+landlock"]) {
    const supervised = ((opened(`${name}, asking`) - opened(name)) * 1000) / OPENS;
    report.add({ name: `a supervised open at ${name}`, value: supervised, unit: "us", limit: 20 });
  }

  for (const { name, argv, rounds } of WORK) {
    if (argv[0] === "sh" || argv[0] === "grep") continue;
    const worked = await medians(argv, rounds, all);
    const free = worked("free");
    for (const at of Object.keys(held)) {
      report.add({ name: `${name}, at ${at}`, value: worked(at) / free, unit: "x", note: `${free.toFixed(1)} ms` });
    }
  }
}
