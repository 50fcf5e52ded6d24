// The attacks as files, with their two programs: a folder that any machine can run (driver/main.c says how).
import { chmod, copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { compileOnce } from "../../fixtures/compile-once.js";
import { ATTACKS, type Named } from "./catalogue.js";

export type Machine = "x64" | "arm64";

const FLAGS = ["-static", "-no-pie", "-pthread"];
const COMPILERS: Record<Machine, string> = { x64: "gcc", arm64: "aarch64-linux-gnu-gcc" };

/** `base`: entries of a policy, as the stub computes them. */
export async function writeBundle(
  folder: string,
  { machine = "x64", base, attacks = ATTACKS }: { machine?: Machine; base: string[]; attacks?: Named[] },
): Promise<void> {
  const compiler = COMPILERS[machine];
  for (const name of ["mischief", "driver"]) {
    const program = await compileOnce(`${name}-${machine}`, join(import.meta.dirname, name), {
      compiler,
      flags: FLAGS,
    });
    await copyFile(program, join(folder, name));
    await chmod(join(folder, name), 0o755);
  }
  await writeFile(join(folder, "base"), base.map((entry) => `${entry}\n`).join(""));
  await mkdir(join(folder, "attacks"));
  for (const { id, attack } of attacks) {
    const place = join(folder, "attacks", id);
    await mkdir(place);
    for (const [name, text] of Object.entries(partsOf(attack))) {
      if (text !== undefined) await writeFile(join(place, name), `${text}\n`);
    }
  }
}

function partsOf(attack: Named["attack"]): Record<string, string | undefined> {
  return {
    needs: attack.needs,
    setup: attack.setup,
    attack: attack.attack,
    again: attack.again,
    after: attack.after,
    grants: attack.grants?.join("\n"),
    options: attack.options?.join("\n"),
    descriptors: attack.descriptors?.join("\n"),
    wrap: attack.wrap,
  };
}
