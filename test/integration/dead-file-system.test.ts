// A file system that does not answer, as a dead server's: who looks at a command's calls waits in it, too. Nothing else does, and the
// command can be ended.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { CommandRecord } from "../../protocol/command.js";
import { newID } from "../../protocol/ids.js";
import { canHang, hangingMount } from "../fixtures/hanging-mount.js";
import { eventually } from "../fixtures/processes.js";
import { runToEnd } from "../fixtures/run-to-end.js";
import { describe } from "../fixtures/with-compiler.js";
import { workbench } from "../fixtures/workbench.js";

const hangs = await canHang();

describe.skipIf(!hangs).each(["guard", "landlock", "mount"])(
  "a command at level %s that touches a dead file system (needs root, FUSE, python3)",
  (level) => {
    it("holds up no other, is ended by its cancel, and is held up otherwise", async () => {
      await using bench = await workbench({ args: ["--level", level] });
      const { id: workspaceID } = await bench.workspace();
      const dead = await bench.outside("dead");
      await mkdir(dead, { recursive: true });
      await using _ = await hangingMount(dead);
      const hidden = Buffer.from(join(dead, "x")).toString("base64");
      const command = `echo before; cat "$(echo ${hidden} | base64 -d)"; echo after`;
      const commandID = newID("cmd");
      const body = { commandID, sessionID: newID("ses"), workspaceID, command, onAsk: "stream" };
      expect((await bench.send("/command", { body })).status).toBe(200);
      const record = async () => (await bench.send<CommandRecord>(`/command/${commandID}`)).body;
      await eventually("it began", async () => (await record()).output.stdout > 0 || undefined);

      for (let i = 0; i < 5; i += 1)
        expect(await runToEnd(bench, workspaceID, { command: "echo other" })).toMatchObject({ output: "other\n" });
      expect((await record()).time.ended).toBeUndefined();
      expect(await bench.asks(workspaceID)).toEqual([]); // nobody knows yet what it is

      await bench.send(`/command/${commandID}/cancel`, { method: "POST" });
      const ended = await eventually("its end", async () => {
        const now = await record();
        return now.time.ended === undefined ? undefined : now;
      });
      expect(ended).toMatchObject({ state: "killed", pending: 0 });
    });
  },
);
