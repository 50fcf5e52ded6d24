// A Debian kernel and the initramfs that starts it: our init, busybox, and the few modules that find the disk and the network.
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runTool } from "../../../scripts/build/run-tool.js";
import { exists } from "../../fixtures/compile-once.js";
import { type Arch, CACHE, Debian, type Suite } from "./debian.js";
import { exclusively } from "./exclusively.js";
import { fingerprint } from "./fingerprint.js";

export interface Kernel {
  /** Paths on this machine. */
  image: string;
  initramfs: string;
}

/** In the order in which they can be loaded; a kernel may have some of them built in. */
const MODULES = [
  ...["failover", "net_failover", "virtio", "virtio_ring"],
  ...["virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "virtio_mmio", "virtio_net", "virtio_blk"],
  ...["crc16", "mbcache", "jbd2", "crc32c_generic", "libcrc32c", "ext4"],
];

const INIT = join(import.meta.dirname, "init.sh");

export async function debianKernel(suite: Suite, arch: Arch): Promise<Kernel> {
  const init = await readFile(INIT, "utf8");
  const folder = join(CACHE, `kernel-${suite}-${arch}-${fingerprint(init, MODULES)}`);
  const kernel = { image: join(folder, "vmlinuz"), initramfs: join(folder, "initramfs.gz") };
  if (await exists(kernel.initramfs)) return kernel;
  await exclusively(`${suite}-${arch}`, async () => {
    if (!(await exists(kernel.initramfs))) await makeKernel(suite, arch, init, folder);
  });
  return kernel;
}

async function makeKernel(suite: Suite, arch: Arch, init: string, folder: string): Promise<void> {
  const work = await mkdtemp(join(CACHE, "kernel-"));
  try {
    const debian = Debian.of(suite, arch);
    const wanted = [await debian.kernelPackage(), "busybox-static"];
    const packages = await debian.download(wanted, join(work, "packages"), { closure: false });
    const unpacked = join(work, "unpacked");
    for (const file of packages) await runTool("dpkg-deb", ["-x", file, unpacked]);

    const root = join(work, "root");
    await mkdir(join(root, "modules"), { recursive: true });
    await mkdir(join(root, "bin"));
    for (const path of ["bin/busybox", "usr/bin/busybox"]) {
      if (await exists(join(unpacked, path))) await copyFile(join(unpacked, path), join(root, "bin/busybox"));
    }
    await copyModules(unpacked, join(root, "modules"));
    await writeFile(join(root, "init"), init);
    await chmod(join(root, "init"), 0o755);

    const result = join(work, "result");
    await mkdir(result);
    const image = (await readdir(join(unpacked, "boot"))).find((name) => name.startsWith("vmlinuz-"));
    if (image === undefined) throw new Error(`no vmlinuz in the kernel package of ${suite} ${arch}`);
    await copyFile(join(unpacked, "boot", image), join(result, "vmlinuz"));
    await runTool("sh", [
      "-c",
      'cd "$1" && find . | cpio --quiet -o -H newc | gzip -1 > "$2"',
      "sh",
      root,
      join(result, "initramfs.gz"),
    ]);
    await rename(result, folder);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** As MODULE.ko, numbered in the order of loading. */
async function copyModules(unpacked: string, target: string): Promise<void> {
  const found = await readdir(unpacked, { recursive: true, withFileTypes: true });
  for (const [index, name] of MODULES.entries()) {
    const file = found.find((entry) => entry.isFile() && new RegExp(`^${name}\\.ko(\\.xz)?$`).test(entry.name));
    if (file === undefined) continue;
    const copy = join(target, `${String(index).padStart(2, "0")}-${file.name}`);
    await copyFile(join(file.parentPath, file.name), copy);
    if (copy.endsWith(".xz")) await runTool("unxz", [copy]);
  }
}
