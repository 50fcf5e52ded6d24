// undici over a stream that is no socket: what goes wrong without `httpStream`, and not with it.
import { Duplex } from "node:stream";
import { Client } from "undici";
import { describe, expect, it } from "vitest";
import { httpStream } from "./http-stream.js";

/** As ssh2's channels are: no socket methods, no `_writev`, all that was received is in the read buffer. */
class BareChannel extends Duplex {
  readonly packets: string[] = [];
  #received = "";

  constructor() {
    super({ highWaterMark: 8 * 1024 * 1024 });
  }

  override _read(): void {
    // Data is pushed as it comes.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.packets.push(chunk.toString());
    this.#received += chunk.toString();
    if (this.#received.endsWith('{"a":1}')) {
      this.push("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    }
    done();
  }
}

async function post(adapt: (stream: Duplex) => Duplex): Promise<BareChannel> {
  const channel = new BareChannel();
  const client = new Client("http://stub", {
    connect: (_, done) => void setImmediate(() => done(null, adapt(channel) as never)),
  });
  const { body } = await client.request({ method: "POST", path: "/", body: '{"a":1}' });
  expect(await body.text()).toBe("ok");
  await client.destroy();
  return channel;
}

const withMethodsOnly = (stream: Duplex) => {
  for (const name of ["setNoDelay", "setKeepAlive", "setTimeout", "ref", "unref"]) {
    Object.assign(stream, { [name]: () => stream });
  }
  return stream;
};

describe("a request on a bare channel", () => {
  it("leaves in two packets by itself, which costs a round trip where Nagle is on", async () => {
    expect((await post(withMethodsOnly)).packets).toHaveLength(2);
  });

  it("leaves in one packet once the stream is adapted", async () => {
    expect((await post(httpStream)).packets).toHaveLength(1);
  });

  it("is read in small pieces: a reader is never given megabytes at once", () => {
    const naive = new BareChannel();
    naive.push(Buffer.alloc(4 * 1024 * 1024));
    expect((naive.read() as Buffer).length).toBe(4 * 1024 * 1024);
    const adapted = httpStream(new BareChannel());
    adapted.push(Buffer.alloc(4 * 1024 * 1024));
    expect((adapted.read() as Buffer).length).toBe(64 * 1024);
  });
});
