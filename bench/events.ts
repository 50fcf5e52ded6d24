// 50 clients of the event stream while 16 commands print and a thousand short ones run: what each was told of them.

import { followEvents } from "../plugin/stub-client/events.js";
import { newID } from "../protocol/ids.js";
import { type BenchHost, HOST_NAME } from "./host.js";
import { memoryOf, peakDuring } from "./memory.js";
import type { Report } from "./report.js";
import { openWorkspace, run } from "./work.js";

const CLIENTS = 50;
const PRINTING = 16;
const SHORT = 984;
/** Short ones at a time. */
const AT_ONCE = 8;
/** Each command starts and ends. */
const EVENTS = 2 * (PRINTING + SHORT);

interface Told {
  started: Set<string>;
  ended: Set<string>;
  /** Events that were announced as missing. */
  announced: number;
  doubled: number;
}

export async function events(host: BenchHost, report: Report): Promise<void> {
  const { remote } = await host.remote();
  const caller = { session: await openWorkspace(remote, host.work), sessionID: newID("ses") };
  const client = await remote.client(HOST_NAME);
  const workspace = await remote.workspaceID(HOST_NAME, host.work);
  await run(caller, "true");
  const stub = await host.stubPid();
  const before = (await memoryOf(stub)).rss;
  const stop = new AbortController();
  const all: Told[] = [];
  const following: Promise<void>[] = [];
  const peak = await peakDuring(stub, async () => {
    await Promise.all(
      Array.from({ length: CLIENTS }, () => {
        const told: Told = { started: new Set(), ended: new Set(), announced: 0, doubled: 0 };
        all.push(told);
        return new Promise<void>((onOpen) => {
          const followed = followEvents(client, {
            workspace,
            signal: stop.signal,
            onOpen,
            onGap: ({ missed }) => {
              told.announced += missed ?? EVENTS;
            },
            onEvent: ({ payload }) => {
              const seen = { "command.started": told.started, "command.ended": told.ended }[payload.type];
              if (seen === undefined) return;
              const { commandID } = payload.properties as { commandID: string };
              if (seen.has(commandID)) told.doubled += 1;
              seen.add(commandID);
            },
          });
          following.push(followed);
        });
      }),
    );
    const printing = Array.from({ length: PRINTING }, () => run(caller, "yes | head -c 20000000"));
    let left = SHORT;
    const worker = async () => {
      while (left-- > 0) await run(caller, "true");
    };
    await Promise.all([...printing, ...Array.from({ length: AT_ONCE }, worker)]);
    for (let quiet = 0, last = -1; quiet < 20; ) {
      const now = all.reduce((sum, { ended }) => sum + ended.size, 0);
      quiet = now === last ? quiet + 1 : 0;
      last = now;
      if (all.every(({ ended, announced }) => ended.size + announced >= EVENTS / 2)) break;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  });
  stop.abort();
  await Promise.all(following);
  await remote.close();

  const due = CLIENTS * EVENTS;
  const sum = (of: (told: Told) => number) => all.reduce((total, told) => total + of(told), 0);
  const delivered = sum(({ started, ended }) => started.size + ended.size);
  const covered = sum(({ started, ended, announced }) => Math.min(EVENTS, started.size + ended.size + announced));
  report.section(`events: ${CLIENTS} clients x ${EVENTS} events while ${PRINTING} commands print`);
  report.add({ name: "delivered", value: delivered / due, unit: "x" });
  report.add({ name: "announced as missing", value: sum(({ announced }) => announced) / due, unit: "x" });
  report.add({ name: "neither delivered nor announced", value: 1 - covered / due, unit: "x", limit: 0 });
  report.add({ name: "told twice", value: sum(({ doubled }) => doubled) / due, unit: "x", limit: 0 });
  report.add({ name: "stub RSS grew by", value: peak - before, unit: "MB", limit: 64 });
}
