import { describe, expect, it } from "vitest";
import { applyChunks } from "./apply.js";
import { parsePatch } from "./parse.js";
import { planPatch } from "./plan.js";

const envelope = (body: string) => `*** Begin Patch\n${body}\n*** End Patch`;

describe("apply_patch", () => {
  it("reads files that are added, deleted, changed and moved", () => {
    const hunks = parsePatch(
      envelope(
        "*** Add File: a.txt\n+one\n+two\n*** Delete File: b.txt\n*** Update File: c.txt\n*** Move to: d.txt\n@@ def f():\n-x\n+y",
      ),
    );
    expect(hunks).toEqual([
      { type: "add", path: "a.txt", contents: "one\ntwo" },
      { type: "delete", path: "b.txt" },
      {
        type: "update",
        path: "c.txt",
        movePath: "d.txt",
        chunks: [{ context: "def f():", oldLines: ["x"], newLines: ["y"], endOfFile: false }],
      },
    ]);
  });

  it("takes a patch that came as a here document, and refuses one without its envelope", () => {
    expect(parsePatch(`cat <<'EOF'\n${envelope("*** Delete File: b")}\nEOF`)).toEqual([{ type: "delete", path: "b" }]);
    expect(() => parsePatch("*** Delete File: b")).toThrow("missing Begin/End markers");
  });

  it("puts a chunk behind its context, and chunks in order", () => {
    const [hunk] = parsePatch(envelope("*** Update File: f\n@@ def b():\n-  pass\n+  return 1\n@@\n-end\n+END"));
    if (hunk?.type !== "update") throw new Error("no update");
    const content = "def a():\n  pass\ndef b():\n  pass\nend\n";
    expect(applyChunks("f", content, hunk.chunks)).toBe("def a():\n  pass\ndef b():\n  return 1\nEND\n");
  });

  it("finds lines with other white space and typographic punctuation, and names what it does not find", () => {
    const chunk = { oldLines: ["say 'hi'"], newLines: ["bye"], endOfFile: false };
    expect(applyChunks("f", "  say \u2018hi\u2019  \n", [chunk])).toBe("bye\n");
    expect(() => applyChunks("f", "other\n", [chunk])).toThrow("Failed to find expected lines in f:\nsay 'hi'");
  });

  it("keeps a byte order mark that it never shows", () => {
    const chunk = { oldLines: ["a"], newLines: ["b"], endOfFile: false };
    expect(applyChunks("f", "\ufeffa\n", [chunk])).toBe("\ufeffb\n");
  });

  it("changes a file that is named twice twice", () => {
    const hunks = parsePatch(envelope("*** Update File: f\n@@\n-a\n+b\n*** Update File: f\n@@\n-b\n+c"));
    expect(planPatch(hunks, () => "a\n").map((change) => change.text)).toEqual(["b\n", "c\n"]);
  });
});
