// The guests' disk, read-only and shared by them: a small Debian with the tools that commands and attacks need.
// Unpacked and not installed: no script of a package runs, so what they would have done is done here.
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runTool } from "../../../scripts/build/run-tool.js";
import { exists } from "../../fixtures/compile-once.js";
import { type Arch, CACHE, Debian } from "./debian.js";
import { exclusively } from "./exclusively.js";
import { fingerprint } from "./fingerprint.js";

const PACKAGES = [
  ...[
    "dropbear-bin",
    "busybox-static",
    "bash",
    "dash",
    "coreutils",
    "util-linux",
    "procps",
    "libc-bin",
    "hostname",
    "mount",
    "bsdextrautils",
  ],
  ...[
    "sed",
    "mawk",
    "grep",
    "findutils",
    "diffutils",
    "patch",
    "tar",
    "gzip",
    "curl",
    "vim-tiny",
    "tmux",
    "openssh-client",
  ],
  ...["git", "make", "gcc", "libc6-dev", "python3", "perl"],
];

/** What alternatives and post-installation scripts would have made. */
const LINKS = {
  "usr/bin/awk": "mawk",
  "usr/bin/vi": "vim.tiny",
  "usr/bin/vim": "vim.tiny",
  "usr/bin/cc": "gcc",
  "usr/bin/sh": "dash",
};

const FILES = {
  "etc/passwd":
    "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/false\nlabuser:x:1500:1500::/home/labuser:/bin/bash\n",
  "etc/group": "root:x:0:\ntty:x:5:\nnogroup:x:65534:\nlabuser:x:1500:\n",
  // without a password a key opens the account: "*", for "!" would lock it
  "etc/shadow": "root:*:19000:0:99999:7:::\nlabuser:*:19000:0:99999:7:::\n",
  "etc/shells": "/bin/sh\n/bin/bash\n",
  "etc/hosts": "127.0.0.1 localhost\n",
};

const UNUSED = [
  "usr/share/doc",
  "usr/share/man",
  "usr/share/locale",
  "usr/share/info",
  "usr/lib/gcc/*/12/lto*",
  "boot",
];

/** Python's own modules are compiled, as their package would have done: else each start of it compiles all that it imports. */
const COMPILE =
  'python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash -s "$1" -x "/test/|/tests/" "$1/usr/lib/python3.11"';

/** Path of the image on this machine. */
export async function guestDisk(arch: Arch): Promise<string> {
  const disk = join(CACHE, `disk-${arch}-${fingerprint(PACKAGES, LINKS, FILES, UNUSED, COMPILE)}.ext4`);
  if (await exists(disk)) return disk;
  await exclusively(`bookworm-${arch}`, async () => {
    if (!(await exists(disk))) await makeDisk(arch, disk);
  });
  return disk;
}

async function makeDisk(arch: Arch, disk: string): Promise<void> {
  const work = await mkdtemp(join(CACHE, "disk-"));
  try {
    const root = join(work, "root");
    const mountPoints = ["proc", "sys", "dev", "run", "tmp", "home", "root", "var/tmp", "etc/dropbear"];
    for (const folder of ["usr/bin", "usr/sbin", "usr/lib", "usr/lib64", ...mountPoints]) {
      await mkdir(join(root, folder), { recursive: true });
    }
    for (const name of ["bin", "sbin", "lib", "lib64"]) await symlink(`usr/${name}`, join(root, name));
    const packages = await Debian.of("bookworm", arch).download(PACKAGES, join(work, "packages"), { closure: true });
    for (const file of packages) {
      const unpack = 'dpkg-deb --fsys-tarfile "$1" | tar -x --keep-directory-symlink --no-same-owner -C "$2"';
      await runTool("sh", ["-c", unpack, "sh", file, root]);
    }
    await runTool("sh", ["-c", `cd "$1" && rm -rf ${UNUSED.join(" ")}`, "sh", root]);
    for (const [path, target] of Object.entries(LINKS)) {
      await rm(join(root, path), { force: true });
      await symlink(target, join(root, path));
    }
    for (const [path, text] of Object.entries(FILES)) await writeFile(join(root, path), text);
    await runTool("sh", ["-c", COMPILE, "sh", root]);
    const image = join(work, "disk.ext4");
    await runTool("mkfs.ext4", ["-q", "-d", root, "-O", "^has_journal", "-E", "root_owner=0:0", image, "700M"]);
    await rename(image, disk);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
