// An upgrade of the stub as a plugin's user sees it: a colleague's newer plugin connects in the middle of a command, and it goes on.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { loadApprover } from "../../plugin/laptop/approver-key.js";
import { StubClient } from "../../plugin/stub-client/client.js";
import { followCommand } from "../../plugin/stub-client/command-stream.js";
import { newID } from "../../protocol/ids.js";
import { describe } from "../fixtures/with-compiler.js";
import { makeLaptop } from "./fixtures/laptop.js";
import { programStub } from "./fixtures/program-stub.js";
import { hasSshd, sshdReason } from "./fixtures/sshd.js";
import { startStubHost, startTimeOf, waitUntil } from "./fixtures/stub-host.js";

describe.skipIf(!hasSshd)(`an upgrade in the middle of a command (${sshdReason})`, () => {
  it("loses nothing and doubles nothing: output byte-exact, one end, and requests of both plugins answered all the time", async () => {
    await using host = await startStubHost();
    await using laptop = await makeLaptop();
    const { link } = laptop.link(host.sshd.resolved, await programStub("0.1.0"));
    const client = new StubClient(link, await loadApprover(laptop.paths));
    const directory = join(host.sshd.home, "project");
    await mkdir(directory);
    const { id } = await client.createWorkspace({ type: "ssh", directory });
    const before = host.stubJson();

    const lines = 400;
    const text = `i=0; while [ $i -lt ${lines} ]; do echo "line $i"; i=$((i+1)); sleep 0.05; done`;
    const request = { commandID: newID("cmd"), sessionID: newID("ses"), workspaceID: id, command: text };
    const pieces: Buffer[] = [];
    const ended = followCommand(client, request, { onOutput: ({ data }) => void pieces.push(Buffer.from(data)) });
    await waitUntil(() => pieces.length > 3, "it prints");

    await using colleague = await makeLaptop();
    const second = colleague.link(host.sshd.resolved, await programStub("0.2.0"));
    // A change that is sent while the stubs change over is done once: waited for, or sent again.
    const upgrading = second.link.ready();
    const made: string[] = [];
    let over = false;
    const creating = (async () => {
      while (!over) {
        const { id: each } = await client.createWorkspace({ id: newID("wrk"), type: "ssh" });
        made.push(each);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
    await upgrading;
    expect(second.link.report).toMatchObject({ uploaded: true, started: true });
    const after = host.stubJson();
    expect([after.version, after.instanceID === before.instanceID]).toEqual(["0.2.0", false]);
    const piecesThen = pieces.length;
    await waitUntil(() => startTimeOf(before.pid) === undefined, "the old stub has ended");
    over = true;
    await creating;

    const record = await ended;
    expect(record).toMatchObject({ state: "exited", exit: 0 });
    expect(pieces.length).toBeGreaterThan(piecesThen);
    const expected = Array.from({ length: lines }, (_, index) => `line ${index}\n`).join("");
    expect(Buffer.concat(pieces).toString()).toBe(expected);
    const there = (await client.workspaces()).map((workspace) => workspace.id);
    expect(there).toEqual(expect.arrayContaining([id, ...made]));
    expect(there).toHaveLength(made.length + 1);

    // Never downgraded: the first plugin uses the newer stub.
    await using third = await makeLaptop();
    const older = third.link(host.sshd.resolved, await programStub("0.1.0"));
    await older.link.ready();
    expect(older.link.report).toMatchObject({ uploaded: false, started: false });
    expect(host.stubJson()).toEqual(after);
    await client.close();
  }, 120_000);
});
