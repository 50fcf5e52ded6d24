import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EventIDs, FIRST } from "./event-id.js";
import { type KeptEvent, ReplayBuffer } from "./replay.js";

const kept = (size: number): KeptEvent => ({ bytes: Buffer.alloc(size), workspaceID: undefined, approver: undefined });

type Step = { push: number } | "letGo";
const steps = fc.array(
  fc.oneof(
    { weight: 20, arbitrary: fc.record({ push: fc.integer({ min: 0, max: 40 }) }) },
    { weight: 1, arbitrary: fc.constant<Step>("letGo") },
  ),
  { maxLength: 200 },
);
const limits = fc.record({ events: fc.integer({ min: 1, max: 12 }), bytes: fc.integer({ min: 1, max: 200 }) });

/** What the buffer promises, said the slow way: all that ever was, and how much of its tail fits. */
class Model {
  readonly all: (KeptEvent | "untold")[] = [];
  readonly #limits: { events: number; bytes: number };

  constructor(limits: { events: number; bytes: number }) {
    this.#limits = limits;
  }

  /** By number. */
  get held(): Map<number, KeptEvent> {
    const held = new Map<number, KeptEvent>();
    let bytes = 0;
    for (let index = this.all.length - 1; index >= 0; index -= 1) {
      const event = this.all[index];
      if (event === undefined || event === "untold" || held.size >= this.#limits.events) break;
      bytes += event.bytes.length;
      if (bytes > this.#limits.bytes && held.size > 0) break;
      held.set(FIRST + 1 + index, event);
    }
    return held;
  }
}

describe("the replay buffer", () => {
  it("holds the tail that fits, by count and by bytes, after whatever was pushed and let go (row 36)", () => {
    fc.assert(
      fc.property(limits, steps, (bounds, todo) => {
        const buffer = new ReplayBuffer(bounds);
        const model = new Model(bounds);
        for (const step of todo) {
          if (step === "letGo") {
            buffer.letGo();
            model.all.push("untold");
          } else {
            const event = kept(step.push);
            buffer.push(event);
            model.all.push(event);
          }
          const { held } = model;
          expect(buffer.head).toBe(FIRST + model.all.length);
          expect(buffer.oldest).toBe(buffer.head + 1 - held.size);
          expect(buffer.bytes).toBe([...held.values()].reduce((sum, { bytes }) => sum + bytes.length, 0));
          for (let number = 0; number <= buffer.head + 1; number += 1)
            expect(buffer.get(number)).toBe(held.get(number));
        }
      }),
    );
  });

  it("gives a client that comes back at any place all that it missed, or tells how much is gone", () => {
    fc.assert(
      fc.property(limits, steps, fc.nat(), (bounds, todo, at) => {
        const buffer = new ReplayBuffer(bounds);
        const model = new Model(bounds);
        const leaves = at % (todo.length + 1);
        let seen = FIRST;
        for (const [index, step] of [...todo, "end" as const].entries()) {
          if (index === leaves) seen = buffer.head;
          if (step === "end") break;
          if (step === "letGo") buffer.letGo();
          else buffer.push(kept(step.push));
          model.all.push(step === "letGo" ? "untold" : kept(step.push));
        }
        const missed = model.all.length - leaves;
        const gone = Math.max(0, buffer.oldest - 1 - seen);
        const replayed = buffer.head - (seen + gone);
        expect(gone + replayed).toBe(missed);
        expect(replayed).toBe(Math.min(missed, model.held.size));
      }),
    );
  });
});

describe("the ids of a stub's frames", () => {
  const instance = fc.record({
    startedAt: fc.integer({ min: 0, max: 4e12 }),
    instanceID: fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: 32, maxLength: 32 }),
  });

  it("compare as text in the order of the stream and say where a client was, behind a heartbeat, too", () => {
    fc.assert(
      fc.property(instance, fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 3000 }))), (mine, frames) => {
        const ids = new EventIDs(mine);
        let number = FIRST;
        let before = "";
        for (const [isEvent, step] of frames) {
          if (isEvent) number += step;
          const id = isEvent ? ids.event(number) : ids.control(number);
          expect(id > before).toBe(true);
          expect(id).toMatch(/^evt_[0-9a-z]{26}$/);
          expect(ids.position(id)).toBe(number);
          before = id;
        }
      }),
    );
  });

  it("say nothing to another stub, nor does what no stub said", () => {
    fc.assert(
      fc.property(
        instance,
        instance,
        fc.string(),
        fc.integer({ min: FIRST, max: 1e9 }),
        (mine, other, text, number) => {
          const ids = new EventIDs(mine);
          expect(ids.position(text)).toBe(undefined);
          expect(ids.position(ids.nowhere())).toBe(undefined);
          fc.pre(mine.startedAt !== other.startedAt || mine.instanceID.slice(0, 4) !== other.instanceID.slice(0, 4));
          expect(ids.position(new EventIDs(other).event(number))).toBe(undefined);
        },
      ),
    );
  });
});
