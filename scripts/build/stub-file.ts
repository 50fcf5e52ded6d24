// dist/stub/linux-x64/opencode-remote-ssh-stub: gathers the parts, packs them, and writes the manifest beside.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Manifest, STUB_NAME } from "../../protocol/install.js";
import { PROTOCOL } from "../../protocol/version.js";
import { compressFrames } from "./compress.js";
import { compileHelper, compileStatic } from "./native.js";
import { type Part, packOneFile, sha256 } from "./one-file.js";
import { compilePtyAddon } from "./pty-addon.js";
import { replaceFile } from "./replace-file.js";
import { runtimeLibraries } from "./runtime-libraries.js";
import { makeSingleExecutable, nodePackage, placeholder } from "./single-executable.js";
import type { StageContext } from "./stage.js";
import { bundleStubProgram } from "./stub-program.js";

interface StubFileOptions {
  root: string;
  /** Directory that gets `linux-x64/…` and `manifest.json`. */
  outDir: string;
  /** stub/main.ts, or what a test wants in its place. */
  entry: string;
  context: StageContext;
}

export async function buildStubFile({ root, outDir, entry, context }: StubFileOptions): Promise<Manifest> {
  const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { version: string };
  const node = join(nodePackage(root), "bin/node");
  const helper = await readFile(await compileHelper(context, root, "x64"));
  const program = await bundleStubProgram({ root, entry, version, helperSha256: sha256(helper).toString("hex") });
  const stub = await makeSingleExecutable(context, {
    node,
    program,
    postject: join(root, "node_modules/postject/dist/cli.js"),
  });
  const pty = await compilePtyAddon(context, root);
  const launcher = await compileStatic(context, "launcher", [join(root, "stub/native/launcher")], { zstd: true });

  const parts: Part[] = [];
  for (const library of await runtimeLibraries([stub, pty])) {
    parts.push({ name: `rt/${library.name}`, mode: 0o700, bytes: await readFile(library.path) });
  }
  parts.push(
    { name: "pty.node", mode: 0o700, bytes: await readFile(pty) },
    { name: "helper", mode: 0o700, bytes: helper },
    { name: "rg", mode: 0o700, bytes: await readFile(join(root, "node_modules/@vscode/ripgrep-linux-x64/bin/rg")) },
    withInterpreterToWrite(await readFile(stub)),
  );
  const compress = (pieces: Uint8Array[]) => compressFrames(context, node, pieces);
  const { bytes, unpackedSize } = await packOneFile({
    launcher: await readFile(launcher),
    parts,
    version,
    protocol: PROTOCOL,
    compress,
  });

  const file = `linux-x64/${STUB_NAME}`;
  const digest = sha256(bytes).toString("hex");
  const nodeVersion = (
    JSON.parse(await readFile(join(nodePackage(root), "package.json"), "utf8")) as { version: string }
  ).version;
  const manifest: Manifest = {
    version,
    node: nodeVersion,
    stubs: { "linux-x64": { file, sha256: digest, size: bytes.length, unpackedSize } },
  };
  await replaceFile(join(outDir, file), bytes, 0o755);
  await replaceFile(join(outDir, "manifest.json"), Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`), 0o644);
  return manifest;
}

/** The placeholder of the interpreter becomes zeros, and its place is told to the launcher. */
function withInterpreterToWrite(bytes: Buffer): Part {
  const text = placeholder();
  const offset = bytes.indexOf(text);
  if (offset < 0 || bytes.indexOf(text, offset + 1) >= 0) throw new Error("the interpreter's place is not found once");
  const length = text.length + 1;
  bytes.fill(0, offset, offset + length);
  return { name: "stub", mode: 0o700, bytes, patch: { offset, length } };
}
