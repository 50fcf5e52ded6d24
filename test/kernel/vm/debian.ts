// Debian packages of any release and architecture, by an apt whose state is all below .cache/kernels: what is
// installed on this machine is neither looked at nor changed. apt checks the signatures as ever.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { filesIn, runTool } from "../../../scripts/build/run-tool.js";

export const CACHE = join(import.meta.dirname, "../../../.cache/kernels");

export type Suite = "bullseye" | "bookworm" | "trixie";
export type Arch = "amd64" | "arm64";

const releases = new Map<string, Debian>();

export class Debian {
  readonly #folder: string;
  readonly #options: string[];
  #updated: Promise<unknown> | undefined;
  /** One apt at a time has a folder. */
  #last: Promise<unknown> = Promise.resolve();

  static of(suite: Suite, arch: Arch): Debian {
    const key = `${suite}-${arch}`;
    const known = releases.get(key) ?? new Debian(suite, arch);
    releases.set(key, known);
    return known;
  }

  private constructor(
    readonly suite: Suite,
    readonly arch: Arch,
  ) {
    this.#folder = join(CACHE, `apt-${suite}-${arch}`);
    const options = {
      "Dir::Etc::sourcelist": join(this.#folder, "sources.list"),
      "Dir::Etc::sourceparts": "/dev/null",
      "Dir::State::lists": join(this.#folder, "lists"),
      "Dir::State::status": join(this.#folder, "status"),
      "Dir::Cache": this.#folder,
      "APT::Architecture": arch,
      "APT::Architectures::": arch,
      "APT::Sandbox::User": "root",
      "Debug::NoLocking": "1",
    };
    this.#options = Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  }

  /** The package of the kernel for virtual machines, for example `linux-image-6.1.0-50-cloud-amd64`. */
  async kernelPackage(): Promise<string> {
    await this.#update();
    const text = await runTool("apt-cache", [...this.#options, "depends", `linux-image-cloud-${this.arch}`]);
    const name = /Depends: (linux-image-[^\s:<]+)/.exec(text)?.[1];
    if (name === undefined) throw new Error(`no kernel in ${this.suite} ${this.arch}: ${text}`);
    return name;
  }

  /** The .deb files of these packages alone, or (`closure`) with all that they depend on, in `folder`. Returns their paths. */
  async download(packages: string[], folder: string, { closure }: { closure: boolean }): Promise<string[]> {
    await this.#update();
    await mkdir(join(folder, "partial"), { recursive: true });
    const one = this.#last.then(() =>
      closure
        ? this.#apt(
            "install",
            "-y",
            "--download-only",
            "--no-install-recommends",
            "-o",
            `Dir::Cache::archives=${folder}`,
            ...packages,
          )
        : runTool("apt-get", [...this.#options, "-qq", "download", ...packages], { cwd: folder }),
    );
    this.#last = one.catch(() => undefined); // whoever asked for it is told
    await one;
    return await filesIn(folder, ".deb");
  }

  async #update(): Promise<void> {
    this.#updated ??= (async () => {
      await mkdir(join(this.#folder, "lists/partial"), { recursive: true });
      await writeFile(join(this.#folder, "status"), "");
      await writeFile(join(this.#folder, "sources.list"), `deb ${await mirror()} ${this.suite} main\n`);
      await this.#apt("update");
    })();
    await this.#updated;
  }

  #apt(...args: string[]): Promise<string> {
    return runTool("apt-get", [...this.#options, "-qq", ...args]);
  }
}

/** The mirror that this machine itself uses. */
async function mirror(): Promise<string> {
  const text = await runTool("apt-get", ["indextargets", "--format", "$(REPO_URI)"]);
  return text.split("\n").find((uri) => /\/debian\/?$/.test(uri)) ?? "http://deb.debian.org/debian/";
}
