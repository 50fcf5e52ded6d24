// npm run bench [SECTION…]: every figure beside its limit, as ratios within this run; exit 1 on a miss. Default: all sections.
import { bulk } from "./bulk.js";
import { confine } from "./confine.js";
import { connect } from "./connect.js";
import { ended } from "./ended.js";
import { events } from "./events.js";
import { startFarHost } from "./far-host.js";
import { farFiles } from "./files.js";
import { guarded } from "./guard.js";
import { type BenchHost, startBenchHost } from "./host.js";
import { idleMemory } from "./idle-memory.js";
import { latency } from "./latency.js";
import { many } from "./many.js";
import { Report } from "./report.js";
import { yes } from "./yes.js";

type Section = (host: BenchHost, report: Report) => Promise<void>;

/** On loopback, all on one stub, in this order. */
const NEAR: Record<string, Section> = {
  memory: idleMemory,
  connect: (host, report) => connect(host, report, { title: "connect, loopback", rounds: 15, limit: 0.6 }),
  latency: (host, report) =>
    latency(host, report, {
      title: "`true`, unconfined, loopback, hot",
      rounds: 400,
      warmup: 300,
      enforcement: "off",
      limit: 1.8,
    }),
  idle: (host, report) =>
    latency(host, report, {
      title: "`true`, unconfined, loopback, 60 ms of idle before each",
      rounds: 60,
      warmup: 20,
      pauseMs: 60,
      enforcement: "off",
      limit: 2.5,
    }),
  confine,
  bulk,
  many,
  ended,
  yes,
  events,
  guard: (_host, report) => guarded(report),
};
/** On a host 52 ms away; `name` says over what. */
const FAR: Record<string, (host: BenchHost, report: Report, name: string) => Promise<void>> = {
  "far-connect": (host, report, name) => connect(host, report, { title: `connect, ${name}`, rounds: 9, limit: 0.8 }),
  "far-latency": (host, report, name) =>
    latency(host, report, { title: `\`true\`, ${name}`, rounds: 40, warmup: 20, enforcement: "best", limit: 1.1 }),
  "far-files": farFiles,
};
/** Several by one name. */
const GROUPS: Record<string, string[]> = { wan: Object.keys(FAR) };

const known = [...Object.keys(NEAR), ...Object.keys(FAR)];
const asked = process.argv.slice(2).flatMap((name) => GROUPS[name] ?? [name]);
const unknown = asked.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  console.error(`no such section: ${unknown.join(" ")}; there are ${[...known, ...Object.keys(GROUPS)].join(" ")}`);
  process.exit(2);
}
const wanted = <T>(sections: Record<string, T>): T[] =>
  Object.entries(sections)
    .filter(([name]) => asked.length === 0 || asked.includes(name))
    .map(([, section]) => section);

const report = new Report();
const near = wanted(NEAR);
if (near.length > 0) {
  const host = await startBenchHost();
  try {
    for (const section of near) await section(host, report);
  } finally {
    await host.stop();
  }
}
const far = wanted(FAR);
if (far.length > 0) {
  const { host, name, stop } = await startFarHost();
  try {
    for (const section of far) await section(host, report, name);
  } finally {
    await stop();
  }
}
process.exit(report.finish());
