import { describe, expect, it } from "vitest";
import { Progress } from "./progress.js";

function shown(options: { terminal: boolean; verbose: boolean }, texts: string[]): string {
  let written = "";
  const write = (text: string) => {
    written += text;
  };
  const progress = new Progress({ write, columns: 10, ...options });
  for (const text of texts) progress.show({ text });
  progress.clear();
  return written;
}

describe("progress", () => {
  it("is one line that changes on a terminal, never wider than it, and is gone afterwards", () => {
    expect(shown({ terminal: true, verbose: false }, ["one", "a much longer line"])).toBe(
      "\r\u001b[Kone\r\u001b[Ka much lo\r\u001b[K",
    );
  });

  it("is silent where stderr is no terminal, unless it is wanted", () => {
    expect(shown({ terminal: false, verbose: false }, ["one"])).toBe("");
    expect(shown({ terminal: false, verbose: true }, ["one", "two"])).toBe("one\ntwo\n");
  });

  it("writes nothing over a question, and with --verbose says afterwards how it stands", () => {
    for (const verbose of [false, true]) {
      let written = "";
      const write = (text: string) => {
        written += text;
      };
      const progress = new Progress({ write, columns: 80, terminal: true, verbose });
      {
        using _ = progress.hold();
        progress.show({ text: "reconnecting to box" });
        progress.show({ text: "connected to box" });
        progress.clear();
        expect(written).toBe("");
      }
      expect(written).toBe(verbose ? "connected to box\n" : "");
    }
  });

  it("does not repeat a line for every figure of a count", () => {
    const texts = ["uploading 1/9", "uploading 2/9", "uploading 9/9", "done"];
    expect(shown({ terminal: false, verbose: true }, texts)).toBe("uploading 1/9\ndone\n");
  });

  it("lets no control sequence of a host through", () => {
    expect(shown({ terminal: false, verbose: true }, ["a\u001b[2Jb\nc\u202ed"])).toBe("a?[2Jb c?d\n");
  });
});
