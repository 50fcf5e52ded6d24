// zstd in frames of 8 MiB, each cached by its content: when only the stub's program changes, nearly all of Node's frames
// are found. Compressed by the Node 24 of the package, which knows zstd.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runTool } from "./run-tool.js";
import { runStage, type StageContext } from "./stage.js";

const FRAME = 8 * 1024 * 1024;
const LEVEL = 19;

const COMPRESS_ONE = `
const { readFileSync, writeFileSync } = require("node:fs");
const { zstdCompressSync, constants } = require("node:zlib");
const [from, to, level] = process.argv.slice(1);
const params = { [constants.ZSTD_c_compressionLevel]: Number(level), [constants.ZSTD_c_contentSizeFlag]: 1 };
writeFileSync(to, zstdCompressSync(readFileSync(from), { params }));
`;

/** The pieces as zstd frames, one after the other: any zstd decoder reads them as one stream. No frame spans two pieces. */
export async function compressFrames(context: StageContext, node: string, pieces: Uint8Array[]): Promise<Buffer> {
  const frames: Uint8Array[] = [];
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; at += FRAME) frames.push(piece.subarray(at, at + FRAME));
  }
  const scratch = await mkdtemp(join(tmpdir(), "stub-frames-"));
  const outputs: Buffer[] = new Array(frames.length);
  let next = 0;
  const work = async (): Promise<void> => {
    for (let index = next++; index < frames.length; index = next++) {
      const frame = frames[index];
      if (frame === undefined) return;
      const path = await runStage(context, {
        name: "zstd-frame",
        inputs: [COMPRESS_ONE, String(LEVEL), frame],
        keep: 96,
        build: async (out) => {
          const plain = join(scratch, String(index));
          await writeFile(plain, frame);
          await runTool(node, ["-e", COMPRESS_ONE, plain, out, String(LEVEL)], { env: { PATH: process.env.PATH } });
          await rm(plain);
        },
      });
      outputs[index] = await readFile(path);
    }
  };
  try {
    await Promise.all([work(), work()]);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return Buffer.concat(outputs);
}
