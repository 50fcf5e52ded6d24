// What is shown of each guest: the level that the product picks there, that nothing gets out at it, and that work goes on.
import { existsSync } from "node:fs";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { runTool } from "../../../scripts/build/run-tool.js";
import { baseProfile } from "../../../stub/confinement/base-profile.js";
import { Laptop } from "../../cli/fixtures/cli-host.js";
import { helperBinary, onPath } from "../../fixtures/helper-binary.js";
import { type Machine as Binary, writeBundle } from "../attacks/bundle.js";
import { ATTACKS, type Named } from "../attacks/catalogue.js";
import { type Outcome, surprises } from "../attacks/results.js";
import { inShares } from "../attacks/shares.js";
import { DEVELOPER_COMMANDS, developerScript } from "./developer-commands.js";
import type { ExpectedGuest } from "./guests.js";
import { bootGuest, type Machine } from "./machine.js";

const ROOT = join(import.meta.dirname, "../../..");
const NEEDED = [
  ...["qemu-system-x86_64", "qemu-system-aarch64", "cpio", "mkfs.ext4", "ssh", "apt-get", "dpkg-deb"],
  ...["gcc", "aarch64-linux-gnu-gcc"],
];
const missing: string[] = [];
for (const tool of NEEDED) if (!(await onPath(tool))) missing.push(tool);
if (!existsSync(join(ROOT, "dist/stub/manifest.json"))) missing.push("dist/stub (npm run build)");

export const canBoot = missing.length === 0;
/** For the name of a test that is skipped. */
export const bootReason = canBoot ? "" : ` (needs ${missing.join(", ")})`;

/** Emulation is slow, and how slow is no finding. */
export const PATIENCE = 1_200_000;
const ATTACK_SECONDS = 120;

const BY_USER = ATTACKS.filter(({ attack }) => !attack.root);

/** Other ways to say the same to the kernel: they are tried once for each kernel, not for each way to start it. */
const OTHER_WORDS = new Set([
  ...["tilde", "variables", "base64 and other codes", "globs", "redirects"],
  ...["git and diff of files outside", "curl and other file addresses", "includes"],
]);

function attacksOn({ controlledBy }: ExpectedGuest): Named[] {
  return controlledBy === undefined ? BY_USER : BY_USER.filter(({ className }) => !OTHER_WORDS.has(className));
}

/** What the guests' disk or their kernels have not. */
const MAY_BE_MISSING =
  /interpreters--node|x32|other-terminals--type|its-own-loader|i386|io-uring|keyrings|modes-times-and-attributes--attribute/;
const WITHOUT_NAMESPACES = /^namespaces-and-mounts--/;

/** On x64: by the plugin's own command line over SSH, then by the attacks. */
export async function proveStub(guest: ExpectedGuest): Promise<void> {
  await using machine = await bootGuest(guest);
  const health = await useByPlugin(machine, guest);
  expect(health).toMatchObject({ level: guest.level, landlockAbi: guest.landlockAbi });
  await attack(machine, guest, await helperBinary(), "x64");
}

/** On arm64: the helper that is built for it. */
export async function proveHelper(guest: ExpectedGuest): Promise<void> {
  await using machine = await bootGuest(guest);
  await attack(machine, guest, join(ROOT, "dist/helper/linux-arm64/opencode-remote-ssh-helper"), "arm64");
}

/** Installs the stub by its own bootstrap and works with it; what health says of the level. */
async function useByPlugin(machine: Machine, guest: ExpectedGuest): Promise<unknown> {
  const laptop = await Laptop.make();
  try {
    await copyFile(machine.sshConfig, join(laptop.home, ".ssh/config"));
    await laptop.configure({ tunnel: { connectTimeoutMs: 300_000, healthTimeoutMs: 120_000, keepaliveMs: 60_000 } });
    expect((await machine.shell("mkdir project && echo outside > outside")).status).toBe(0);
    const exec = (text: string) => laptop.run("exec", "guest", "--cwd", "/home/labuser/project", "--yes", "--", text);

    const work = await exec(developerScript());
    const said = work.stdout.toString();
    expect(said + work.stderr).not.toContain("failed ");
    for (const name of Object.keys(DEVELOPER_COMMANDS)) expect(said).toContain(`ok ${name}\n`);
    return await required(laptop, guest);
  } finally {
    await laptop.run("stop", "guest");
    await laptop.remove();
  }
}

/** A workspace that requires the kernel: it runs where there is a kernel level, and nowhere else. */
async function required(laptop: Laptop, guest: ExpectedGuest): Promise<unknown> {
  const connection = laptop.start(["connect", "guest", "--json"]);
  try {
    await connection.says('"url"');
    const { url, token, approver } = JSON.parse(connection.output().toString());
    const call = async (path: string, body?: unknown) => {
      const headers = { authorization: `Bearer ${token}`, "x-approver": approver, "content-type": "application/json" };
      const answer = await fetch(`${url}${path}`, {
        method: body ? "POST" : "GET",
        headers,
        body: JSON.stringify(body),
      });
      return { status: answer.status, body: (await answer.json()) as Record<string, never> };
    };
    const workspace = await call("/experimental/workspace", {
      type: "ssh-provider",
      directory: "/home/labuser/project",
      enforcement: "required",
    });
    const session = await call("/session", { workspaceID: workspace.body.id });
    const shell = await call(`/session/${session.body.id}/shell`, { command: "echo ran" });
    if (guest.level === "guard") {
      expect(shell).toMatchObject({ status: 403, body: { code: "enforcement_unavailable" } });
    } else {
      expect(JSON.stringify(shell)).toContain("ran");
    }
    return (await call("/global/health")).body.enforcement;
  } finally {
    connection.child.kill("SIGTERM");
    await connection.ended;
  }
}

async function attack(machine: Machine, guest: ExpectedGuest, helper: string, binary: Binary): Promise<void> {
  const attacks = attacksOn(guest);
  const folder = await mkdtemp(join(tmpdir(), "ocr-bundle-"));
  try {
    await writeBundle(folder, { machine: binary, base: baseProfile().entries, attacks });
    await copyFile(helper, join(folder, "helper"));
    const archive = `${folder}.tgz`;
    await runTool("tar", ["-C", folder, "-czf", archive, "."]);
    const bytes = await readFile(archive);
    await rm(archive);
    expect((await machine.shell("mkdir bundle && tar -xzf - -C bundle", { input: bytes })).status).toBe(0);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }

  const probe = await machine.shell("bundle/helper confine --probe");
  expect(JSON.parse(probe.stdout), probe.stderr).toMatchObject({
    landlockAbi: guest.landlockAbi,
    levels: { [guest.level]: { ok: true } },
  });
  const run = (words: string) =>
    inShares(attacks, async (only, share) => {
      const home = "/home/labuser";
      const arena = `${home}/arena${share}`;
      const line = `mkdir -p ${arena} && cd / && PATH=/usr/sbin:/usr/bin:/sbin:/bin ${home}/bundle/driver ${home}/bundle ${arena} ${ATTACK_SECONDS} --only ${only} -- ${words}`;
      const { status, stdout, stderr } = await machine.shell(line);
      expect(status, stderr).toBe(0);
      return stdout;
    });
  if (!guest.controlledBy) {
    const control = await run("");
    const failed = control.filter((outcome) => outcome.result !== "escaped" && !mayBeMissing(outcome, guest));
    expect(failed.map(({ detail }) => detail)).toEqual([]);
  }
  const outcomes = await run(`/home/labuser/bundle/helper confine --level ${guest.level} --policy @policy --`);
  await record(guest, machine, outcomes);
  expect(outcomes.filter((outcome) => outcome.result === "missing" && !mayBeMissing(outcome, guest))).toEqual([]);
  expect(surprises(outcomes, { level: guest.level, ask: false, landlockAbi: guest.landlockAbi })).toEqual([]);
}

function mayBeMissing({ result, named: { id } }: Outcome, { userNamespaces }: ExpectedGuest): boolean {
  return result === "missing" && (MAY_BE_MISSING.test(id) || (userNamespaces === 0 && WITHOUT_NAMESPACES.test(id)));
}

async function record({ name, level }: ExpectedGuest, { kernel, lsm }: Machine, outcomes: Outcome[]): Promise<void> {
  const count = (wanted: Outcome["result"]) => outcomes.filter(({ result }) => result === wanted).length;
  const line = `${name}: ${kernel} (${lsm}): ${level}: ${count("blocked")} blocked, ${count("escaped")} through, ${count("missing")} not there`;
  console.log(line);
  await writeFile(join(ROOT, ".cache/kernels", `result-${name}.txt`), `${line}\n`);
}
