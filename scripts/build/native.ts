// The two static C programs (musl): the launcher in front of the one file, and the helper inside. The helper is built for arm64, too,
// with what Debian has for that: gcc and glibc, static as well.
import { copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { filesIn, runTool } from "./run-tool.js";
import { fileInput, runStage, type StageContext } from "./stage.js";

const COMPILERS = {
  x64: { gcc: "musl-gcc", strip: "strip" },
  arm64: { gcc: "aarch64-linux-gnu-gcc", strip: "aarch64-linux-gnu-strip" },
};
const FLAGS = ["-static", "-O2", "-std=gnu17", "-Wall", "-Wextra", "-Wshadow", "-Werror", "-pthread"];

/** Path of the static program made of all C files of `directories`. */
export async function compileStatic(
  context: StageContext,
  name: string,
  directories: string[],
  { zstd = false, arch = "x64" }: { zstd?: boolean; arch?: keyof typeof COMPILERS } = {},
): Promise<string> {
  const { gcc, strip } = COMPILERS[arch];
  const files = (await Promise.all(directories.map((directory) => filesIn(directory, ".c", ".h")))).flat();
  const sources = files.filter((path) => path.endsWith(".c"));
  const inputs = await Promise.all(files.map((path) => fileInput(basename(path), path)));
  return await runStage(context, {
    name,
    inputs: [FLAGS.join(" "), await runTool(gcc, ["-dumpfullversion"]), ...inputs],
    build: async (out) => {
      const include = await mkdtemp(join(tmpdir(), "zstd-include-"));
      try {
        const library = zstd ? await zstdForMusl(include) : [];
        await runTool(gcc, [...FLAGS, "-I", include, "-o", out, ...sources, ...library]);
        await runTool(strip, ["-s", out]);
      } finally {
        await rm(include, { recursive: true });
      }
    },
  });
}

/** Path of the helper: spawner, helper of each command, and what confines it. */
export function compileHelper(context: StageContext, root: string, arch: keyof typeof COMPILERS): Promise<string> {
  const directories = [join(root, "stub/native/helper"), join(root, "stub/native/confine")];
  return compileStatic(context, arch === "x64" ? "helper" : `helper-${arch}`, directories, { arch });
}

/** musl-gcc does not look into /usr/include, rightly; zstd's two headers are the same for every C library. */
async function zstdForMusl(include: string): Promise<string[]> {
  await mkdir(include, { recursive: true });
  for (const header of ["zstd.h", "zstd_errors.h"]) await copyFile(join("/usr/include", header), join(include, header));
  return [(await runTool("gcc", ["-print-file-name=libzstd.a"])).trim()];
}
