import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EDIT_ERRORS, replaceText, withLineEndsOf } from "./replace.js";

describe("edit finds what the model means", () => {
  it("replaces the one exact occurrence and nothing else", () => {
    expect(replaceText("a b c", "b", "$& $1")).toBe("a $& $1 c");
  });

  it("refuses a text that stands there twice, and replaces both where all are wanted", () => {
    expect(() => replaceText("x = 1\nx = 1\n", "x = 1", "x = 2")).toThrow(EDIT_ERRORS.ambiguous);
    expect(replaceText("x = 1\nx = 1\n", "x = 1", "$'", true)).toBe("$'\n$'\n");
  });

  it("finds lines whose indentation the model got wrong", () => {
    expect(replaceText("if (a) {\n\t\treturn 1;\n}\n", "  return 1;", "\t\treturn 2;")).toBe(
      "if (a) {\n\t\treturn 2;\n}\n",
    );
  });

  it("finds a block by its first and last line when the lines between are nearly right", () => {
    const content = "function f() {\n  const value = compute(1);\n  log(value);\n}\n";
    const wanted = "function f() {\n  const value = compute(2);\n  log(value);\n}";
    expect(replaceText(content, wanted, "X")).toBe("X\n");
  });

  it("refuses a block whose inner lines have nothing in common with what was wanted", () => {
    const content = "begin\nqqqqqqqqqqqqqq\nwwwwwwwwwwwwww\nend\n";
    expect(() => replaceText(content, "begin\n123456789\n123456789\nend", "X")).toThrow(EDIT_ERRORS.missing);
  });

  it("finds a line whose spaces are spread otherwise", () => {
    expect(replaceText("const  a   =  1;\n", "const a = 1;", "let a;")).toBe("let a;\n");
  });

  it("finds a text that the model has escaped once too often", () => {
    expect(replaceText('say("a\nb")\n', 'say("a\\nb")', "X")).toBe("X\n");
  });

  it("says that nothing was found, that nothing would change, that nothing was named", () => {
    expect(() => replaceText("a", "zzz", "b")).toThrow(EDIT_ERRORS.missing);
    expect(() => replaceText("a", "a", "a")).toThrow(EDIT_ERRORS.identical);
    expect(() => replaceText("a", "", "b")).toThrow(EDIT_ERRORS.empty);
  });

  it("keeps everything around an exact, unique match, whatever the texts are", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (before, after, replacement) => {
        const meant = "\u0001unique\u0002";
        fc.pre(!before.includes("\u0001") && !after.includes("\u0001") && replacement !== meant);
        expect(replaceText(before + meant + after, meant, replacement)).toBe(before + replacement + after);
      }),
    );
  });

  it("gives the model's strings the line ends of the file", () => {
    expect(withLineEndsOf("a\r\nb\r\n", "x\ny\r\nz")).toBe("x\r\ny\r\nz");
    expect(withLineEndsOf("a\nb\n", "x\r\ny")).toBe("x\ny");
  });
});
