import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { describe, expect, it } from "vitest";
import { HttpConnection } from "../stub-client/connection.js";
import { exchange, parseAnswer } from "./exchange.js";

const answer = (text: string) => Buffer.from(text.replaceAll("\n", "\r\n"), "latin1");

describe("an answer read by hand", () => {
  it("is complete only with its whole body, and leaves what comes behind it", () => {
    const whole = answer("HTTP/1.1 401 Unauthorized\nContent-Length: 4\nX-Stub-Proof: ab\n\nbodyNEXT");
    expect(parseAnswer(whole.subarray(0, whole.length - 5))).toBeUndefined();
    const found = parseAnswer(whole);
    expect(found?.answer).toMatchObject({ status: 401, keepAlive: true });
    expect(found?.answer.headers["x-stub-proof"]).toBe("ab");
    expect(found?.rest.toString()).toBe("NEXT");
  });

  it.each([
    ["another protocol", "SSH-2.0-OpenSSH_9.2\n\n\n"],
    ["no length", "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n"],
    ["a length that is no number", "HTTP/1.1 200 OK\nContent-Length: -1\n\n"],
    ["HTTP/1.0", "HTTP/1.0 200 OK\nContent-Length: 0\n\n"],
  ])("is refused where it is %s", (_, text) => {
    expect(() => parseAnswer(answer(text))).toThrow(expect.objectContaining({ code: "stub_unhealthy" }));
  });

  it("is refused where it never ends", () => {
    expect(() => parseAnswer(Buffer.alloc(70 * 1024, "HTTP/1.1 "))).toThrow(
      expect.objectContaining({ code: "stub_unhealthy" }),
    );
  });
});

it("leaves the stream fit for the requests behind it", async () => {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    const body = Buffer.from("{}");
    response.writeHead(200, { "content-length": body.length }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stream = connect((server.address() as AddressInfo).port, "127.0.0.1");
  await exchange(stream, "/first", {}, AbortSignal.timeout(5000));
  const connection = new HttpConnection(async () => stream);
  for (const path of ["/second", "/third"]) {
    const got: unknown[] = [];
    const receiver = {
      head: ({ status }: { status: number }) => void got.push(status),
      data: (bytes: Uint8Array) => void got.push(Buffer.from(bytes).toString()),
    };
    await connection.exchange({ method: "GET", path, headers: {} }, receiver);
    expect(got).toEqual([200, "{}"]);
  }
  expect(seen).toEqual(["GET /first", "GET /second", "GET /third"]);
  connection.close();
  server.close();
});
