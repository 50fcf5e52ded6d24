// What a user wants of a workspace's enforcement reaches its stub before anything runs there, also when it is changed later.
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createSshRunner } from "../../plugin/runner/ssh/provider.js";
import { sameWish, USUAL_WISH, type Wish, type Wishes } from "../../plugin/runner/ssh/wishes.js";
import { StubClient } from "../../plugin/stub-client/client.js";
import { newID } from "../../protocol/ids.js";
import { identityOf, SocketLink, testApprover } from "../fixtures/socket-link.js";
import { type StubFixture, startStub } from "../fixtures/stub.js";
import { describe } from "../fixtures/with-compiler.js";

describe("the wish of a workspace", () => {
  let stub: StubFixture;
  let directory: string;
  let client: StubClient;
  let link: SocketLink;
  beforeAll(async () => {
    stub = await startStub({ args: ["--level", "static"] });
    directory = await realpath(await mkdtemp(join(tmpdir(), "ocr-wish-")));
    link = new SocketLink({
      identity: () => identityOf(stub.installRoot),
      approvers: join(stub.installRoot, "state/approvers"),
    });
    client = new StubClient(link, testApprover());
  }, 60_000);
  afterAll(async () => {
    await client?.close();
    await link?.close();
    await stub?.stop();
    if (directory !== undefined) await rm(directory, { recursive: true, force: true });
  });

  /** Runs `true` as a laptop with this configuration would; its memory outlives the session. */
  async function runTrue(workspaceID: string, wish: Wish, memory: Map<string, Wish>): Promise<string> {
    const wishes: Wishes = {
      told: async (id) => memory.get(id),
      remember: async (id, each) => void (sameWish(each, USUAL_WISH) ? memory.delete(id) : memory.set(id, each)),
    };
    const provider = createSshRunner({
      validateHost: async () => undefined,
      open: async () => ({ client, env: {}, init: undefined, readRoots: [], wish, wishes }),
    });
    const session = await provider.createSession({ host: "here", directory, workspaceID });
    try {
      const { enforcement } = await session.runCommand({ commandID: newID("cmd"), command: "true" });
      return enforcement.level;
    } catch (error) {
      return (error as { code: string }).code;
    } finally {
      await session.close();
    }
  }

  it("is made with it, told when it changes, and `required` runs nothing where no kernel level is", async () => {
    const id = newID("wrk");
    const memory = new Map<string, Wish>();
    expect(await runTrue(id, USUAL_WISH, memory)).toBe("static");
    expect(await runTrue(id, { enforcement: "required", network: true }, memory)).toBe("enforcement_unavailable");
    expect(await runTrue(id, { enforcement: "off", network: true }, memory)).toBe("off");
    expect(memory.get(id)).toEqual({ enforcement: "off", network: true });
    // back at what is usual it must not stay off
    expect(await runTrue(id, USUAL_WISH, memory)).toBe("static");
    expect(memory.size).toBe(0);
    const other = newID("wrk");
    expect(await runTrue(other, { enforcement: "required", network: false }, memory)).toBe("enforcement_unavailable");
    const found = (await client.workspaces()).find((workspace) => workspace.id === other);
    expect(found).toMatchObject({ enforcement: "required", network: false });
  });

  it("is its approver's to change, and in the audit log", async () => {
    const approver = await (await stub.registerApprover()).secret();
    const send = (path: string, options: object) => stub.fetch(`/experimental/workspace${path}`, options);
    const made = await send("", { body: { type: "test", directory }, approver });
    const { id } = (await made.json()) as { id: string };
    const body = { enforcement: "off" };
    expect((await send(`/${id}`, { method: "PATCH", body })).status).toBe(403);
    const changed = await send(`/${id}`, { method: "PATCH", body, approver });
    expect(await changed.json()).toMatchObject({ id, enforcement: "off", network: true });
    const audit = await (await stub.fetch("/audit", { approver })).text();
    expect(audit).toContain('"decision":"changed"');
  });
});
