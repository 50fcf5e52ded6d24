import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AnswerParser } from "./answer-parser.js";

/** What a parser says of an answer that comes in these pieces. */
function parse(pieces: Uint8Array[], closed = false) {
  const said = { status: 0, headers: {} as Record<string, string>, body: "", ended: undefined as boolean | undefined };
  const parser = new AnswerParser({
    head: (status, headers) => Object.assign(said, { status, headers }),
    data: (bytes) => {
      said.body += Buffer.from(bytes).toString("latin1");
    },
    end: (keep) => {
      said.ended = keep;
    },
  });
  parser.expect();
  for (const piece of pieces) parser.feed(piece);
  if (closed) expect(parser.close()).toBe(true);
  return said;
}

const bytes = (text: string) => Buffer.from(text, "latin1");
const CHUNKED =
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Two: a\r\nx-two: b\r\n\r\n4\r\nfour\r\nA;x=y\r\n0123456789\r\n0\r\nT: 1\r\n\r\n";

describe("an answer", () => {
  it("is the same in whatever pieces it comes", () => {
    const whole = bytes(`HTTP/1.1 100 Continue\r\n\r\n${CHUNKED}`);
    fc.assert(
      fc.property(fc.array(fc.nat(whole.length), { maxLength: 12 }), (cuts) => {
        const at = [0, ...cuts.sort((a, b) => a - b), whole.length];
        const pieces = at.slice(1).map((end, i) => whole.subarray(at[i], end));
        const { status, headers, body, ended } = parse(pieces);
        expect([status, headers["x-two"], body, ended]).toEqual([200, "a", "four0123456789", true]);
      }),
    );
  });

  it("ends with its length, at once where it has none to come, and with the stream where it does not say", () => {
    expect(parse([bytes("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno")])).toMatchObject({
      status: 404,
      body: "no",
      ended: true,
    });
    expect(parse([bytes("HTTP/1.1 204 No Content\r\n\r\n")]).ended).toBe(true);
    expect(parse([bytes("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nConnection: close\r\n\r\n")]).ended).toBe(false);
    const open = "HTTP/1.1 200 OK\r\n\r\nall of it";
    expect(parse([bytes(open)]).ended).toBeUndefined();
    expect(parse([bytes(open)], true)).toMatchObject({ body: "all of it", ended: false });
  });

  it.each([
    ["another protocol", "SSH-2.0-OpenSSH_9.2\r\n\r\n"],
    ["HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\n"],
    ["a length that is no number", "HTTP/1.1 200 OK\r\nContent-Length: 1e3\r\n\r\n"],
    ["an encoding that nobody knows", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"],
    ["a chunk without a size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"],
    ["a chunk longer than it says", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n"],
    ["bytes behind its end", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK"],
    ["a head without an end", `HTTP/1.1 200 OK\r\nA: ${"a".repeat(70_000)}`],
  ])("is refused with %s", (_, text) => {
    expect(() => parse([bytes(text)])).toThrow(SyntaxError);
  });
});
