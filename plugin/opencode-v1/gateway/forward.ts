// Everything that is OpenCode's own goes to it as it is, byte by byte in both directions. One request per connection (both
// sides are told so in the heads), so that event streams, uploads and WebSockets need no reading, and either side's end is
// the other's. A second request behind the first would meet the server without its password.
import { connect, type Socket } from "node:net";
import { Transform, type TransformCallback } from "node:stream";
import { plainError, serialize } from "./answer.js";
import { HEAD_LIMIT, type RequestHead, wantsUpgrade } from "./request-head.js";

const END = Buffer.from("\r\n\r\n");

export interface Upstream {
  port: number;
  /** Its own password, which nobody but the gateway knows: `Basic …`. */
  authorization: string;
}

/** `rest`: what came behind the head. */
export function forward(client: Socket, head: RequestHead, rest: Buffer, upstream: Upstream): void {
  const server = connect({ port: upstream.port, host: "127.0.0.1", noDelay: true });
  const answer = new AnswerHead();
  server.once("connect", () => {
    server.write(headFor(head, upstream));
    if (rest.length > 0) server.write(rest);
    client.pipe(server);
    server.pipe(answer).pipe(client);
  });
  server.once("error", () => {
    if (answer.begun) client.destroy();
    else client.end(serialize(plainError(502, "OpenCode's server does not answer; quit and open the host again")));
  });
  client.once("close", () => server.destroy());
  answer.once("error", () => client.destroy());
}

/** The server's own name and password instead of ours, and its connection ends behind the answer. */
function headFor(head: RequestHead, upstream: Upstream): Buffer {
  const ours = ["host", "authorization", "connection", "keep-alive", "proxy-connection"];
  const kept = head.headers.filter(([name]) => !ours.includes(name.toLowerCase()));
  const headers: [string, string][] = [
    ["host", `127.0.0.1:${upstream.port}`],
    ["authorization", upstream.authorization],
    ["connection", wantsUpgrade(head) ? "Upgrade" : "close"],
    ...kept,
  ];
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return Buffer.from(`${head.method} ${head.target} HTTP/1.1\r\n${lines}\r\n`, "latin1");
}

/** Puts `connection: close` into the head of an answer (Bun's servers leave it out), and leaves all else alone. */
class AnswerHead extends Transform {
  #head: Buffer | undefined = Buffer.alloc(0);
  begun = false;

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.begun = true;
    if (this.#head === undefined) this.push(chunk);
    else this.#read(Buffer.concat([this.#head, chunk]));
    const tooLong = (this.#head?.length ?? 0) > HEAD_LIMIT;
    done(tooLong ? new Error("an answer without an end of its head") : null);
  }

  #read(bytes: Buffer): void {
    this.#head = bytes;
    const end = bytes.indexOf(END);
    if (end === -1) return;
    const text = bytes.toString("latin1", 0, end);
    const rest = bytes.subarray(end + END.length);
    // "100 Continue" and its like come before the answer; "101 Switching Protocols" is one.
    const interim = /^HTTP\/1\.1 1(?!01)/.test(text);
    this.push(Buffer.from(`${interim ? text : closing(text)}\r\n\r\n`, "latin1"));
    if (interim) {
      this.#read(rest);
    } else {
      this.#head = undefined;
      this.push(rest);
    }
  }
}

function closing(head: string): string {
  if (head.startsWith("HTTP/1.1 101")) return head;
  const lines = head.split("\r\n").filter((line) => !/^(connection|keep-alive):/i.test(line));
  return [...lines, "connection: close"].join("\r\n");
}
