import { describe, expect, it } from "vitest";
import { hostFileURL } from "./host-file-url.js";
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
  toHost: (path) => path.replace(ANCHOR, "/srv/app"),
  read: async (path) => ({ text: `CONTENT OF ${path}` }),
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

  it("mean the host's wherever they lie: what OpenCode read here of that path is thrown away", async () => {
    const parts = await partsForHost(named("/home/me/.ssh/id_ed25519"), files);
    expect(parts.map((part) => part.text)).toEqual([
      "look at it",
      'Called the Read tool with the following input: {"filePath":"/home/me/.ssh/id_ed25519"}',
      "CONTENT OF /home/me/.ssh/id_ed25519",
      "and tell me",
    ]);
    expect(JSON.stringify(parts)).not.toContain("SECRET");
  });

  it("that nothing has read yet, as of a command's template, are the host's from the start", async () => {
    const part: PromptPart = { type: "file", url: `file://${ANCHOR}/a.txt`, mime: "text/plain", filename: "a.txt" };
    const parts = await partsForHost([part], files);
    expect(parts.map(({ type, text, url }) => [type, text, url])).toEqual([
      ["text", 'Called the Read tool with the following input: {"filePath":"/srv/app/a.txt"}', undefined],
      ["text", "CONTENT OF /srv/app/a.txt", undefined],
    ]);
  });

  it("are attached with the host's bytes where they are images", async () => {
    const attachment = { mime: "image/png", url: "data:image/png;base64,aG9zdA==" };
    const read = async () => ({ text: "Image read successfully", attachment });
    const parts = await partsForHost(named(`${ANCHOR}/a.png`), { ...files, read });
    expect(parts.at(-2)).toMatchObject({ type: "file", ...attachment });
  });

  it("are the host's where the gateway has marked them, so that OpenCode read nothing", async () => {
    const url = hostFileURL(`${ANCHOR}/a.txt`, "text/plain");
    const called = 'Called the Read tool with the following input: {"filePath":"a.txt"}';
    const marked: PromptPart[] = [
      { ...base, id: "prt_1", type: "text", synthetic: true, text: called },
      { ...base, id: "prt_2", type: "text", synthetic: true, text: "" },
      { ...base, id: "prt_3", type: "file", url, mime: "text/plain", filename: "a.txt" },
    ];
    for (const parts of [marked, marked.slice(2)]) {
      expect((await partsForHost(parts, files)).map(({ text }) => text)).toEqual([
        'Called the Read tool with the following input: {"filePath":"/srv/app/a.txt"}',
        "CONTENT OF /srv/app/a.txt",
      ]);
    }
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
    expect(await partsForHost(pasted, files)).toEqual(pasted);
  });
});
