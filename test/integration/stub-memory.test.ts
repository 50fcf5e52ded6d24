// What a command of the same user could take out of the stub without touching a file: its memory, its environment, its descriptors.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type StubFixture, startStub } from "../fixtures/stub.js";
import { describe } from "../fixtures/with-compiler.js";
import { addUser, isRoot, type TestUser } from "../ssh/fixtures/users.js";

const run = promisify(execFile);
const LOOKS = ["environ", "maps", "mem", "fd"];

describe.skipIf(!isRoot)("the memory of the stub (needs root, to be another user)", () => {
  let user: TestUser;
  let stub: StubFixture;
  let other: ChildProcess;

  beforeAll(async () => {
    user = await addUser();
    stub = await startStub({ user });
    other = spawn("sleep", ["60"], { uid: user.uid, gid: user.uid, stdio: "ignore" });
  });

  afterAll(async () => {
    other?.kill("SIGKILL");
    await stub?.stop();
    await user?.remove();
  });

  /** Which of these the user can open. */
  async function opened(pid: number): Promise<string[]> {
    const script = LOOKS.map(
      (name) => `(ls /proc/${pid}/${name}/ || : < /proc/${pid}/${name}) >/dev/null 2>&1 && echo ${name}`,
    );
    const { stdout } = await run("sh", ["-c", `${script.join("\n")}\ntrue`], { uid: user.uid, gid: user.uid });
    return stdout.split("\n").filter(Boolean);
  }

  it("is closed to other processes of its user, which (control) see into any other", async () => {
    expect(await opened(other.pid as number)).toEqual(expect.arrayContaining(["environ", "maps", "fd"]));
    expect(await opened(stub.pid)).toEqual([]);
  });

  it("is closed though the stub works as ever: files, commands, searches", async () => {
    const approver = await (await stub.registerApprover()).secret();
    const answer = await stub.fetch("/experimental/workspace", {
      approver,
      body: { type: "t", directory: "/usr/include" },
    });
    const { id } = (await answer.json()) as { id: string };
    expect((await stub.fetch("/file?path=.", { workspace: id })).status).toBe(200);
    const found = await stub.fetch("/grep", { workspace: id, body: { pattern: "define EPERM", path: "." } });
    expect(((await found.json()) as { matches: unknown[] }).matches.length).toBeGreaterThan(0);
  });
});
