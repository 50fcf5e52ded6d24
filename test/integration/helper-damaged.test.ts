// The helper that confines commands is the one that was built, or nothing runs.
import { copyFile, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { newID } from "../../protocol/ids.js";
import { fileFolder } from "../fixtures/file-folder.js";
import { helperBinary } from "../fixtures/helper-binary.js";
import { type StubFixture, startStub, stubParts } from "../fixtures/stub.js";
import { describe } from "../fixtures/with-compiler.js";
import { eventually } from "../fixtures/workbench.js";

/** Parts with a helper of their own, to be damaged. */
async function parts() {
  const directory = join(await fileFolder("ocrs-damaged-"), "parts");
  await stubParts(directory);
  const helper = join(directory, "helper");
  await rm(helper);
  await copyFile(await helperBinary(), helper);
  const replace = async (bytes: Uint8Array) => {
    await writeFile(`${helper}.new`, bytes, { mode: 0o755 });
    await rename(`${helper}.new`, helper); // the running one cannot be written to
  };
  const good = await readFile(helper);
  return {
    directory,
    repair: () => replace(good),
    async flipOneByte() {
      const bytes = Buffer.from(good);
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
      await replace(bytes);
    },
  };
}

/** Of a command: its answer's code, or its state. */
async function commandIn(stub: StubFixture): Promise<string> {
  const made = (await (await stub.fetch("/experimental/workspace", { body: { type: "test" } })).json()) as {
    id: string;
  };
  const body = { commandID: newID("cmd"), sessionID: newID("ses"), workspaceID: made.id, argv: ["true"] };
  const answer = (await (await stub.fetch("/command?wait=1", { body })).json()) as { code?: string };
  if (answer.code !== undefined) return answer.code;
  return eventually(async () => {
    const record = (await (await stub.fetch(`/command/${body.commandID}`)).json()) as {
      state: string;
      error?: { code: string };
    };
    if (record.state === "queued" || record.state === "running") return undefined;
    return record.error?.code ?? record.state;
  });
}

async function spawnerOf(stub: StubFixture): Promise<number> {
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const words = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => ""); // it has just ended
    if (!words.includes("--spawner")) continue;
    const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
    if (status.includes(`\nPPid:\t${stub.pid}\n`)) return Number(pid);
  }
  throw new Error("the stub has no spawner");
}

describe("a helper with one flipped byte", () => {
  it("is not started: the stub serves, its commands are refused by name, and run again once it is whole", async () => {
    const { directory, flipOneByte, repair } = await parts();
    await flipOneByte();
    await using stub = await startStub({ version: "0.1.0", env: { OPENCODE_REMOTE_SSH_PARTS: directory } });
    expect(await commandIn(stub)).toBe("helper_damaged");
    await expect(spawnerOf(stub)).rejects.toThrow("no spawner");
    await repair();
    expect(await commandIn(stub)).toBe("exited");
  });

  it("is not started in the place of a spawner that died, although the first start was right", async () => {
    const { directory, flipOneByte } = await parts();
    await using stub = await startStub({ version: "0.1.0", env: { OPENCODE_REMOTE_SSH_PARTS: directory } });
    expect(await commandIn(stub)).toBe("exited");
    await flipOneByte();
    process.kill(await spawnerOf(stub), "SIGKILL");
    await eventually(async () => ((await commandIn(stub)) === "helper_damaged" ? true : undefined));
  });
});
