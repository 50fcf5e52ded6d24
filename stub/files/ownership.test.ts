import fc from "fast-check";
import { expect, it } from "vitest";
import { modeFor } from "./ownership.js";

it("a mode is kept as it is, and where owner or group are lost nobody gets more than before", () => {
  const bits = fc.integer({ min: 0, max: 0o7777 });
  fc.assert(
    fc.property(bits, fc.boolean(), fc.boolean(), (mode, owner, group) => {
      const given = modeFor(0o100000 | mode, { owner, group });
      expect(given & ~mode).toBe(0);
      expect(given & 0o707).toBe(mode & 0o707);
      if (owner && group) expect(given).toBe(mode);
      if (!owner) expect(given & 0o4000).toBe(0);
      if (group) expect(given & 0o2070).toBe(mode & 0o2070);
      else expect(given & 0o2070).toBe(mode & 0o070 & ((mode & 0o007) << 3));
    }),
  );
});
