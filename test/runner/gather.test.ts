// Looks of one moment share a request: counted on a real stub, and by chance on one that answers as it likes.
import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { RunnerSession } from "../../plugin/runner/runner.js";
import { LookGatherer } from "../../plugin/runner/ssh/gather.js";
import { createSshRunner } from "../../plugin/runner/ssh/provider.js";
import { StubClient } from "../../plugin/stub-client/client.js";
import { codeOf } from "../../protocol/errors.js";
import type { BatchRequest, BatchResult } from "../../protocol/file.js";
import { newID } from "../../protocol/ids.js";
import { identityOf, SocketLink, testApprover } from "../fixtures/socket-link.js";
import { type StubFixture, startStub } from "../fixtures/stub.js";
import { describe } from "../fixtures/with-compiler.js";

describe("looks at files of a real host", () => {
  let stub: StubFixture;
  let link: SocketLink;
  let client: StubClient;
  let session: RunnerSession;
  let base: string;
  let work: string;
  const requests: { what: string; steps: number }[] = [];

  beforeAll(async () => {
    stub = await startStub();
    base = await realpath(await mkdtemp(join(tmpdir(), "ocr-gather-")));
    work = join(base, "work");
    await mkdir(join(work, "sub"), { recursive: true });
    const approvers = join(stub.installRoot, "state/approvers");
    link = new SocketLink({ identity: () => identityOf(stub.installRoot), approvers });
    client = new StubClient(link, testApprover());
    const send = client.send.bind(client);
    client.send = (request) => {
      const { steps = [] } = (request.body ?? {}) as Partial<BatchRequest>;
      requests.push({ what: `${request.method} ${request.path.split("?")[0]}`, steps: steps.length });
      return send(request);
    };
    const open = async () => ({ client, env: {}, init: undefined, readRoots: [] });
    const provider = createSshRunner({ validateHost: async () => undefined, open });
    session = await provider.createSession({ host: "here", directory: work, workspaceID: newID("wrk") });
    for (let index = 0; index < 200; index += 1) {
      await writeFile(join(work, `f${index}`), `${index}: ${"x".repeat(99)}\n`.repeat(98).slice(0, 10_000));
    }
    await session.stat(".");
  }, 60_000);
  afterAll(async () => {
    await session?.close();
    await client?.close();
    await link?.close();
    await stub?.stop();
    await rm(base, { recursive: true, force: true });
  });

  const counted = async <T>(work: () => Promise<T>): Promise<{ value: T; sent: string[]; streams: number }> => {
    requests.length = 0;
    const before = link.opened;
    const value = await work();
    return { value, sent: requests.map(({ what }) => what), streams: link.opened - before };
  };
  const numbers = Array.from({ length: 200 }, (_, index) => index);

  it("200 views of 10 kB in one turn are one request on a stream that is open, and each gets its own file", async () => {
    const { value, sent, streams } = await counted(() => Promise.all(numbers.map((at) => session.view(`f${at}`))));
    expect(sent).toEqual(["POST /file/batch"]);
    expect(streams).toBe(0);
    for (const [at, shown] of value.entries()) {
      expect(shown).toMatchObject({ type: "text", path: join(work, `f${at}`), size: 10_000, lineStart: 1 });
      if (shown.type !== "text") throw new Error("no text");
      expect(shown.lines[0]).toBe(`${at}: ${"x".repeat(99)}`);
      expect(shown.content).toHaveLength(10_000);
    }
    const { value: single, sent: alone } = await counted(() => session.view("f7"));
    expect(alone).toEqual(["GET /file/view"]);
    expect(single).toEqual(value[7]);
  });

  it("200 reads, looks and lists mixed are one request too, with the same answers as alone", async () => {
    const looks = [
      (at: number) => session.readFile(`f${at}`),
      (at: number) => session.readFile(`f${at}`, { offset: 5, length: 20 }),
      (at: number) => session.stat(`f${at}`),
      () => session.readdir("."),
      (at: number) => session.view(`f${at}`, { offset: 3, limit: 2 }),
    ];
    const all = () => Promise.all(numbers.map((at) => looks[at % looks.length]?.(at)));
    const { value, sent } = await counted(all);
    expect(sent).toEqual(["POST /file/batch"]);
    for (const at of [0, 1, 2, 3, 4]) {
      const alone = await looks[at]?.(at);
      expect(JSON.parse(JSON.stringify(value[at]))).toEqual(JSON.parse(JSON.stringify(alone)));
    }
  });

  it("one that fails, asks or is aborted is its own affair", async () => {
    const outside = join(base, "outside");
    await mkdir(outside, { recursive: true });
    for (const name of ["allowed", "rejected", "unasked"]) await writeFile(join(outside, name), name);
    const abort = new AbortController();
    const asked: string[] = [];
    const answering = (reply: "once" | "reject") => ({
      onAsk: async ({ path }: { path: string }) => {
        asked.push(path);
        return { reply };
      },
    });
    const all = Promise.allSettled([
      session.readFile("f1"),
      session.readFile("missing"),
      session.readFile("sub"),
      session.readFile(join(outside, "allowed"), answering("once")),
      session.readFile(join(outside, "rejected"), answering("reject")),
      session.readFile(join(outside, "unasked")),
      session.readFile("f2", { signal: abort.signal }),
      session.readFile("f3"),
    ]);
    setTimeout(() => abort.abort(), 1);
    const { value } = await counted(() => all);
    const outcome = value.map((each) =>
      each.status === "fulfilled" ? each.value.data.length : String(codeOf(each.reason)),
    );
    outcome[6] = outcome[6] === 10_000 ? "aborted" : (outcome[6] as string); // it may have been faster
    expect(outcome).toEqual([
      10_000,
      "ENOENT",
      "EISDIR",
      7,
      "permission_rejected",
      "permission_required",
      "aborted",
      10_000,
    ]);
    expect(asked.sort()).toEqual([join(outside, "allowed"), join(outside, "rejected")]);
  });

  it("what would fill a batch goes alone, and what finds it full comes with the next", async () => {
    await writeFile(join(work, "large"), Buffer.alloc(3 * 1024 * 1024, 1));
    for (let index = 0; index < 30; index += 1) await writeFile(join(work, `m${index}`), Buffer.alloc(700_000, index));
    const names = ["large", ...Array.from({ length: 30 }, (_, index) => `m${index}`)];
    const { value, sent } = await counted(() => Promise.all(names.map((name) => session.readFile(name))));
    expect(value.map(({ data }) => data.length)).toEqual([3 * 1024 * 1024, ...Array(30).fill(700_000)]);
    expect(value.map(({ data }) => data.at(-1))).toEqual([1, ...Array.from({ length: 30 }, (_, index) => index)]);
    expect(sent.filter((what) => what === "GET /file/content")).toHaveLength(1);
    expect(sent.filter((what) => what === "POST /file/batch").length).toBeGreaterThan(1);
  });
});

describe("gathering", () => {
  it("gives each look its own answer, once, whatever comes when, is deferred, fails or is aborted", async () => {
    const look = fc.record({
      /** Milliseconds after the start. */
      at: fc.integer({ min: 0, max: 6 }),
      fate: fc.constantFrom("ok", "error", "deferred", "large", "aborted"),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(look, { minLength: 1, maxLength: 60 }), async (looks) => {
        let running = 0;
        let most = 0;
        const deferred = new Set<string>();
        const served = new Map<string, number>();
        const gatherer = new LookGatherer(async ({ steps, each, onAsk }) => {
          expect({ each, onAsk }).toEqual({ each: true, onAsk: "fail" });
          running += 1;
          most = Math.max(most, running);
          await new Promise((resolve) => setTimeout(resolve, 2));
          running -= 1;
          return steps.map((step): BatchResult => {
            const fate = looks[Number(step.op === "read" ? step.path : -1)]?.fate;
            const path = step.op === "read" ? step.path : "";
            if (fate === "error") return { ok: false, error: { code: "ENOENT", message: path } };
            if (fate === "large") return { ok: false, error: { code: "answer_too_large", message: path } };
            if (fate === "deferred" && !deferred.has(path)) {
              deferred.add(path);
              return { ok: false, error: { code: "deferred", message: path } };
            }
            served.set(path, (served.get(path) ?? 0) + 1);
            return { ok: true, path };
          });
        });
        const answers = await Promise.allSettled(
          looks.map(async ({ at, fate }, index) => {
            const path = String(index);
            const abort = new AbortController();
            await new Promise((resolve) => setTimeout(resolve, at));
            if (fate === "aborted") queueMicrotask(() => abort.abort());
            const alone = async () => {
              if (fate === "error") throw Object.assign(new Error(path), { code: "ENOENT" });
              served.set(path, (served.get(path) ?? 0) + 1);
              return path;
            };
            const read = (result: BatchResult) => result.path as string;
            return gatherer.want({ step: { op: "read", path }, signal: abort.signal, alone, read });
          }),
        );
        const told = answers.map((answer) => (answer.status === "fulfilled" ? answer.value : codeOf(answer.reason)));
        const expected = looks.map(({ fate }, index) =>
          fate === "error" ? "ENOENT" : fate === "aborted" ? "aborted" : String(index),
        );
        expect(told).toEqual(expected);
        for (const [index, { fate }] of looks.entries()) {
          expect(served.get(String(index)) ?? 0).toBe(fate === "error" || fate === "aborted" ? 0 : 1);
        }
        expect(most).toBeLessThanOrEqual(4);
      }),
      { numRuns: 60 },
    );
  });

  it("sends a look that is alone in the same turn of the event loop, without a timer", async () => {
    const gatherer = new LookGatherer(() => Promise.reject(new Error("no batch is needed")));
    const order: string[] = [];
    const look = gatherer.want({
      step: { op: "stat", path: "x" },
      signal: new AbortController().signal,
      alone: async () => order.push("sent"),
      read: () => 0,
    });
    setImmediate(() => order.push("next turn"));
    await look;
    await new Promise((resolve) => setImmediate(resolve));
    expect(order).toEqual(["sent", "next turn"]);
  });

  it("ends the request when everybody who waits for it has gone", async () => {
    let ended = false;
    const gatherer = new LookGatherer(
      (_, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => {
            ended = true;
            reject(signal.reason);
          });
        }),
    );
    const aborts = [new AbortController(), new AbortController()];
    const looks = aborts.map(({ signal }) =>
      gatherer.want({ step: { op: "stat", path: "x" }, signal, alone: async () => 0, read: () => 0 }),
    );
    const outcomes = Promise.allSettled(looks);
    await new Promise((resolve) => setTimeout(resolve, 5));
    aborts[0]?.abort();
    expect(ended).toBe(false);
    aborts[1]?.abort();
    expect(ended).toBe(true);
    expect((await outcomes).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  });
});
