import { describe, expect, it } from "vitest";
import { type PromptFiles, type PromptPart, partsForHost } from "./prompt-files.js";

const ANCHOR = "/state/anchors/0a1b2c3d/prod/srv/app";
const base = { messageID: "msg_1", sessionID: "ses_1" };
const named = (path: string): PromptPart[] => [
  { ...base, id: "prt_1", type: "text", text: "look at it" },
  {
    ...base,
    id: "prt_2",
    type: "text",
    synthetic: true,
    text: `Called the Read tool with the following input: ${JSON.stringify({ filePath: path })}`,
  },
  { ...base, id: "prt_3", type: "text", synthetic: true, text: "SECRET OF THE LAPTOP" },
  { ...base, id: "prt_4", type: "file", url: `file://${path}`, mime: "text/plain" },
  { ...base, id: "prt_5", type: "text", text: "and tell me" },
];
const files: PromptFiles = {
  anchors: [ANCHOR],
  byModel: false,
  toHost: (path) => path.replace(ANCHOR, "/srv/app"),
  read: async (path) => `CONTENT OF ${path}`,
};

describe("files that a prompt names", () => {
  it("are read on the host when they are the anchor's", async () => {
    const parts = await partsForHost(named(`${ANCHOR}/a.txt`), files);
    expect(parts.map((part) => part.text)).toEqual([
      "look at it",
      'Called the Read tool with the following input: {"filePath":"/srv/app/a.txt"}',
      "CONTENT OF /srv/app/a.txt",
      "and tell me",
    ]);
    expect(new Set(parts.map((part) => part.id)).size).toBe(parts.length);
    expect(JSON.stringify(parts)).not.toContain("LAPTOP");
  });

  it("are named as missing on the host when they are, not as missing here", async () => {
    const [failed] = named(`${ANCHOR}/no.txt`).slice(1, 2);
    const part = {
      ...(failed as PromptPart),
      text: `Read tool failed to read ${ANCHOR}/no.txt with the following error: local`,
    };
    const read = () => Promise.reject(new Error("File not found: /srv/app/no.txt"));
    const parts = await partsForHost([part], { ...files, read });
    expect(parts.at(-1)?.text).toBe(
      "Read tool failed to read /srv/app/no.txt with the following error: File not found: /srv/app/no.txt",
    );
    expect(JSON.stringify(parts)).not.toContain("/state/");
  });

  it("of the laptop go along when the user names them, and never when the model does", async () => {
    expect(await partsForHost(named("/home/me/notes.txt"), files)).toEqual(named("/home/me/notes.txt"));
    const parts = await partsForHost(named("/home/me/.ssh/id_ed25519"), { ...files, byModel: true });
    expect(parts.map((part) => part.text)).toEqual([
      "look at it",
      "A file named here lies on the user's own machine and was not read.",
      "and tell me",
    ]);
    expect(JSON.stringify(parts)).not.toContain("SECRET");
    expect(JSON.stringify(parts)).not.toContain(".ssh");
  });

  it("that were pasted as data are left alone, also in a subagent's prompt", async () => {
    const pasted: PromptPart[] = [
      {
        ...base,
        id: "prt_1",
        type: "text",
        synthetic: true,
        text: 'Called the Read tool with the following input: {"filePath":"note.txt"}',
      },
      { ...base, id: "prt_2", type: "text", synthetic: true, text: "pasted" },
      { ...base, id: "prt_3", type: "file", url: "data:text/plain;base64,cGFzdGVk", mime: "text/plain" },
    ];
    expect(await partsForHost(pasted, { ...files, byModel: true })).toEqual(pasted);
  });
});
