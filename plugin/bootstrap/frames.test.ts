import { describe, expect, it } from "vitest";
import { parseFrames } from "./frames.js";

const nonce = "0123456789abcdef0123456789abcdef";
const frame = (name: string, text: string, status = 0) => `\n${nonce}<${name}\n${text}\n${nonce}>${name} ${status}\n`;
const parse = (text: string) => Object.fromEntries(parseFrames(Buffer.from(text), nonce));

describe("what a host answered, among what its rc files print", () => {
  it("finds frames between a banner without a newline at its end and later noise", () => {
    const noisy = `Welcome to\nWEB-01 </home>\nprompt> ${frame("root", "/home/u")}stray${frame("uid", "0\n")}bye`;
    expect(parse(noisy)).toEqual({ root: { text: "/home/u", status: 0 }, uid: { text: "0\n", status: 0 } });
  });

  it("takes nothing from a frame with another word, though it looks alike", () => {
    expect(parse(frame("root", "/evil").replaceAll(nonce, nonce.replace("0", "1")))).toEqual({});
  });

  it("waits for the end of a frame: half of one is none", () => {
    const whole = frame("json", '{"pid":1}');
    for (let length = 0; length < whole.length; length++) expect(parse(whole.slice(0, length))).toEqual({});
    expect(parse(whole)).toEqual({ json: { text: '{"pid":1}', status: 0 } });
  });

  it("keeps the exact text, with its newlines, empty or not", () => {
    for (const text of ["", "\n", "a\n\nb", "x\n"])
      expect(parse(frame("log", text, 7)).log).toEqual({ text, status: 7 });
  });

  it("would read a directory name out of the banner without frames (row 10)", () => {
    const naive = (output: string) => output.split("\n")[0];
    const output = `Authorised use only${frame("root", "/home/u")}`;
    expect(naive(output)).toBe("Authorised use only");
    expect(parse(output).root?.text).toBe("/home/u");
  });
});
