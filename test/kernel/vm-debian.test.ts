// Debian's own kernels as they are, booted in software emulation.
import { describe, it } from "vitest";
import { DEBIAN } from "./vm/guests.js";
import { bootReason, canBoot, PATIENCE, proveStub } from "./vm/prove.js";

describe.skipIf(!canBoot)(`Debian's kernels${bootReason}`, () => {
  for (const guest of DEBIAN) {
    it(`${guest.name}: ${guest.level} is picked, nothing gets out, work goes on`, { timeout: PATIENCE }, async () => {
      await proveStub(guest);
    });
  }
});
