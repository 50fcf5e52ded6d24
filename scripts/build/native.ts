// The two static C programs (musl): the launcher in front of the one file, and the helper inside.
import { copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { filesIn, runTool } from "./run-tool.js";
import { fileInput, runStage, type StageContext } from "./stage.js";

const FLAGS = ["-static", "-O2", "-std=gnu17", "-Wall", "-Wextra", "-Wshadow", "-Werror", "-pthread"];

/** Path of the static program made of all C files of `directories`. */
export async function compileStatic(
  context: StageContext,
  name: string,
  directories: string[],
  { zstd = false }: { zstd?: boolean } = {},
): Promise<string> {
  const files = (await Promise.all(directories.map((directory) => filesIn(directory, ".c", ".h")))).flat();
  const sources = files.filter((path) => path.endsWith(".c"));
  const inputs = await Promise.all(files.map((path) => fileInput(basename(path), path)));
  return await runStage(context, {
    name,
    inputs: [FLAGS.join(" "), await runTool("musl-gcc", ["-dumpfullversion"]), ...inputs],
    build: async (out) => {
      const include = await mkdtemp(join(tmpdir(), "zstd-include-"));
      try {
        const library = zstd ? await zstdForMusl(include) : [];
        await runTool("musl-gcc", [...FLAGS, "-I", include, "-o", out, ...sources, ...library]);
        await runTool("strip", ["-s", out]);
      } finally {
        await rm(include, { recursive: true });
      }
    },
  });
}

/** musl-gcc does not look into /usr/include, rightly; zstd's two headers are the same for every C library. */
async function zstdForMusl(include: string): Promise<string[]> {
  await mkdir(include, { recursive: true });
  for (const header of ["zstd.h", "zstd_errors.h"]) await copyFile(join("/usr/include", header), join(include, header));
  return [(await runTool("gcc", ["-print-file-name=libzstd.a"])).trim()];
}
