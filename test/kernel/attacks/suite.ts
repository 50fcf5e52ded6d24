// The escape suite on this machine: the attacks as files, a home to attack, and who does it.
import { spawn } from "node:child_process";
import { chmod, chown, copyFile, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { baseProfile } from "../../../stub/confinement/base-profile.js";
import { helperBinary } from "../../fixtures/helper-binary.js";
import { addUser, isRoot } from "../../ssh/fixtures/users.js";
import { writeBundle } from "./bundle.js";
import type { Named } from "./catalogue.js";
import type { Outcome } from "./results.js";
import { inShares } from "./shares.js";

/** Not below /tmp: at `mount` a command has a /tmp of its own. */
const PLACE = "/var/tmp";
const LIMIT_SECONDS = 30;
/** The system's own: what lies in somebody's home is not approved. */
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface Suite {
  /** The words that confine: none is the control. */
  run(words: string[], attacks: Named[]): Promise<Outcome[]>;
  /** `helper confine --level LEVEL …` with the policy of the attack. */
  confine(level: string, ...options: string[]): string[];
  [Symbol.asyncDispose](): Promise<void>;
}

/** As an extra ordinary user where we are root (`root`: as root itself), else as ourselves. */
export async function startSuite({ root = false, attacks }: { root?: boolean; attacks: Named[] }): Promise<Suite> {
  const bundle = await mkdtemp(join(PLACE, "ocr-attacks-"));
  await chmod(bundle, 0o755);
  await writeBundle(bundle, { base: baseProfile().entries, attacks });
  const helper = join(bundle, "helper");
  await copyFile(await helperBinary(), helper);
  const user = isRoot && !root ? await addUser("/bin/bash") : undefined;
  const homes: string[] = [];
  return {
    confine: (level, ...options) => [helper, "confine", "--level", level, "--policy", "@policy", ...options, "--"],
    run: (words, chosen) =>
      inShares(chosen, async (only) => {
        const home = await mkdtemp(join(PLACE, "ocr-victim-"));
        homes.push(home);
        if (user) await chown(home, user.uid, user.uid);
        return await output(
          join(bundle, "driver"),
          [bundle, home, String(LIMIT_SECONDS), "--only", only, "--", ...words],
          {
            uid: user?.uid,
            gid: user?.uid,
            env: { PATH, USER: user?.name ?? process.env.USER, LC_ALL: "C" },
          },
        );
      }),
    async [Symbol.asyncDispose]() {
      await user?.remove();
      for (const each of [bundle, ...homes]) await rm(each, { recursive: true, force: true });
    },
  };
}

interface RunAs {
  uid: number | undefined;
  gid: number | undefined;
  env: NodeJS.ProcessEnv;
}

function output(file: string, args: string[], as: RunAs): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { ...as, cwd: "/", stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.once("error", reject);
    child.once("close", (status) => {
      if (status === 0) resolve(stdout);
      else reject(new Error(`the driver ended with ${status}: ${stderr}`));
    });
  });
}
