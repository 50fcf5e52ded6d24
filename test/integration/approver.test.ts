// Approvers: who may say yes. A signature is good once, for one stub instance, for a few minutes.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { newID } from "../../protocol/ids.js";
import { Approvers } from "../../stub/auth/approvers.js";
import { signedRequest, testKey } from "../fixtures/stub.js";
import { describe } from "../fixtures/with-compiler.js";
import { type Workbench, workbench } from "../fixtures/workbench.js";

let bench: Workbench;
beforeAll(async () => {
  bench = await workbench();
});
afterAll(() => bench.stub.stop());

async function registered() {
  const key = testKey();
  const file = join(bench.stub.installRoot, "state/approvers", `${key.keyID}.pub`);
  await writeFile(file, Buffer.from(key.publicKey).toString("base64"));
  return key;
}

const exchange = (body: unknown) => bench.send("/approver", { body });

describe("POST /approver", () => {
  it("gives a secret of 32 random bytes for a fresh signature, and the key's id with it", async () => {
    const key = await registered();
    const answer = await exchange(signedRequest(key, bench.stub.instanceID));
    expect(answer).toMatchObject({ status: 200, body: { keyID: key.keyID } });
    expect(Buffer.from(String(answer.body.approver), "base64url")).toHaveLength(32);
  });

  it("refuses the same signature a second time", async () => {
    const body = signedRequest(await registered(), bench.stub.instanceID);
    expect((await exchange(body)).status).toBe(200);
    expect(await exchange(body)).toMatchObject({ status: 403, body: { code: "approver_required" } });
  });

  it("refuses a signature for another instance, an old one, and one from the future", async () => {
    const key = await registered();
    const wrong = [
      signedRequest(key, "another-instance"),
      signedRequest(key, bench.stub.instanceID, { time: Date.now() - 6 * 60_000 }),
      signedRequest(key, bench.stub.instanceID, { time: Date.now() + 6 * 60_000 }),
      { ...signedRequest(key, bench.stub.instanceID), nonce: "another_nonce_than_signed" },
      { ...signedRequest(key, bench.stub.instanceID), signature: "AAAA" },
    ];
    for (const body of wrong)
      expect(await exchange(body)).toMatchObject({ status: 403, body: { code: "approver_required" } });
  });

  it("knows only keys that were registered, and no key under the id of another", async () => {
    const stranger = testKey();
    const body = signedRequest(stranger, bench.stub.instanceID);
    expect(await exchange(body)).toMatchObject({ status: 403, body: { code: "approver_unknown" } });
    const own = await registered();
    const swapped = { ...signedRequest(stranger, bench.stub.instanceID), keyID: own.keyID };
    expect(await exchange(swapped)).toMatchObject({ status: 403, body: { code: "approver_required" } });
  });

  it("takes no key id that could be a path", async () => {
    const body = { ...signedRequest(testKey(), bench.stub.instanceID), keyID: "../../etc/passwd" };
    expect(await exchange(body)).toMatchObject({
      status: 400,
      body: { code: "invalid_request", details: { path: "body.keyID" } },
    });
  });
});

describe("the secret", () => {
  it("is dead after DELETE /approver", async () => {
    const key = await registered();
    const { body } = await exchange(signedRequest(key, bench.stub.instanceID));
    const approver = String(body.approver);
    expect((await bench.send("/session", { approver })).status).toBe(200);
    expect((await bench.send("/approver", { method: "DELETE", approver })).status).toBe(200);
    expect(await bench.send("/session", { approver })).toMatchObject({
      status: 403,
      body: { code: "approver_expired" },
    });
  });

  it("an invented one is refused, not ignored", async () => {
    const answer = await bench.send("/session", { approver: "invented" });
    expect(answer).toMatchObject({ status: 403, body: { code: "approver_expired" } });
  });

  it("lives for 15 minutes after its last use", async () => {
    let now = 0;
    const directory = join(bench.stub.installRoot, "state/approvers");
    const approvers = new Approvers({ directory, instanceID: "i", uptime: () => now });
    const key = await registered();
    const { approver } = await approvers.exchange(signedRequest(key, "i"));
    for (let step = 0; step < 4; step += 1) {
      now += 14 * 60_000;
      expect(approvers.identify(approver)).toBe(key.keyID);
    }
    now += 16 * 60_000;
    expect(() => approvers.identify(approver)).toThrow(expect.objectContaining({ code: "approver_expired" }));
  });
});

describe("two installations on one account", () => {
  it("do not see, answer or end what belongs to the other", async () => {
    const workspace = await bench.workspace();
    const other = await (await bench.stub.registerApprover()).secret();
    const sessionID = newID("ses");
    const command = {
      commandID: newID("cmd"),
      sessionID,
      workspaceID: workspace.id,
      command: "true",
      cwd: "/etc",
      onAsk: "fail",
    };
    const refused = await bench.send<{ details: { permissionID: string } }>("/command", { body: command });
    expect(refused.status).toBe(403);

    expect((await bench.send<unknown[]>("/experimental/workspace", { approver: other })).body).toEqual([]);
    expect((await bench.send<unknown[]>("/permission", { approver: other })).body).toEqual([]);
    expect((await bench.send<unknown[]>("/session", { approver: other })).body).toEqual([]);
    const foreign = { status: 403, body: { code: "approver_foreign" } };
    expect(await bench.reply(refused.body.details.permissionID, "once", other)).toMatchObject(foreign);
    expect(
      await bench.send(`/experimental/workspace/${workspace.id}`, { method: "DELETE", approver: other }),
    ).toMatchObject(foreign);
    expect(await bench.send(`/session/${sessionID}/abort`, { method: "POST", approver: other })).toMatchObject(foreign);
    expect(await bench.send("/file?path=.", { workspace: workspace.id, approver: other })).toMatchObject(foreign);
    expect((await bench.asks(workspace.id)).map(({ id }) => id)).toEqual([refused.body.details.permissionID]);
  });

  it("the token alone creates no workspace with a directory, answers nothing and revokes nothing", async () => {
    const workspace = await bench.workspace();
    const required = { status: 403, body: { code: "approver_required" } };
    const body = { type: "test", directory: workspace.directory };
    expect(await bench.send("/experimental/workspace", { body })).toMatchObject(required);
    expect(await bench.send("/experimental/workspace", { body: { type: "test", readRoots: ["/usr"] } })).toMatchObject(
      required,
    );
    const ask = await bench.send<{ details: { permissionID: string } }>("/file/stat?path=/etc&onAsk=fail", {
      workspace: workspace.id,
    });
    const { permissionID } = ask.body.details;
    expect(await bench.send(`/permission/${permissionID}/reply`, { body: { reply: "once" } })).toMatchObject(required);
    const [root] = (await bench.send<{ id: string }[]>(`/experimental/workspace/${workspace.id}/approval`)).body;
    const revoke = `/experimental/workspace/${workspace.id}/approval/${root?.id}`;
    expect(await bench.send(revoke, { method: "DELETE" })).toMatchObject(required);
    expect(await bench.send(`/experimental/workspace/${workspace.id}`, { method: "DELETE" })).toMatchObject(required);
  });
});
