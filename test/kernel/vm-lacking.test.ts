// Kernels that lack Landlock, user namespaces or both, and another processor: booted in software emulation.
import { describe, it } from "vitest";
import { ARM, LACKING } from "./vm/guests.js";
import { bootReason, canBoot, PATIENCE, proveHelper, proveStub } from "./vm/prove.js";

describe.skipIf(!canBoot)(`kernels that lack something, and arm64${bootReason}`, () => {
  for (const guest of LACKING) {
    it(`${guest.name}: ${guest.level} is picked, nothing gets out, work goes on`, { timeout: PATIENCE }, async () => {
      await proveStub(guest);
    });
  }

  it(`${ARM.name}: the helper alone holds ${ARM.level}`, { timeout: PATIENCE }, async () => {
    await proveHelper(ARM);
  });
});
