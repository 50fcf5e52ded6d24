// Whatever comes in: a coded error with a hint, and nothing half done.
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { newID } from "../../protocol/ids.js";
import { describe } from "../fixtures/with-compiler.js";
import { type Workbench, workbench } from "../fixtures/workbench.js";

let bench: Workbench;
beforeAll(async () => {
  bench = await workbench();
});
afterAll(() => bench.stub.stop());

/** Sends bytes and reads until the other side closes or says `enough`. */
function speak(text: string | Uint8Array, enough = /\r\n\r\n[\s\S]*}/): Promise<string> {
  return new Promise((resolve) => {
    let heard = "";
    const socket = connect(bench.stub.json.port, "127.0.0.1", () => socket.write(text));
    socket.on("data", (chunk) => {
      heard += chunk.toString("latin1");
      if (enough.test(heard)) socket.destroy();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(heard));
  });
}

const json = (text: string, path = "/session") =>
  bench.send(path, {
    method: "POST",
    body: new TextEncoder().encode(text),
    headers: { "content-type": "application/json" },
  });

describe("bodies", () => {
  it("malformed JSON, none, and one of another type are 400 and 415 with our codes", async () => {
    for (const text of ["{", "", "nul", '{"a":1}}', "\0", '"\\ud800']) {
      expect([text, (await json(text)).body.code]).toEqual([text, "invalid_request"]);
    }
    const xml = await bench.send("/session", {
      method: "POST",
      body: new Uint8Array([60]),
      headers: { "content-type": "text/xml" },
    });
    expect(xml).toMatchObject({ status: 415, body: { code: "unsupported_media_type" } });
  });

  it("a wrong, missing or unknown field is named by its path", async () => {
    const workspaceID = newID("wrk");
    for (const [body, path] of [
      [{}, "body.workspaceID"],
      [{ workspaceID, title: 5 }, "body.title"],
      [{ workspaceID, nonsense: 1 }, "body.nonsense"],
      [[], "body"],
    ] as const) {
      const answer = await bench.send("/session", { body });
      expect(answer).toMatchObject({
        status: 400,
        body: { code: "invalid_request", hint: expect.any(String), details: { path } },
      });
    }
    const { body } = await bench.send("/audit?limit=many");
    expect(body).toMatchObject({ code: "invalid_request", details: { path: "querystring.limit" } });
  });

  it("__proto__ in a body reaches nothing", async () => {
    const answer = await json('{"workspaceID":"wrk_aaaaaaaaaa","__proto__":{"polluted":true}}');
    expect(answer.status).toBe(400);
    expect((await bench.send("/global/health")).body).not.toHaveProperty("polluted");
  });

  it("60 MB are refused from their announcement on, without being read into memory (row 27)", async () => {
    const memory = async () =>
      Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${bench.stub.pid}/status`, "utf8"))?.[1]);
    const before = await memory();
    const head = (length: string) =>
      `POST /session HTTP/1.1\r\nhost: stub\r\nauthorization: Bearer ${bench.stub.token}\r\ncontent-type: application/json\r\n${length}\r\n\r\n`;
    // The answer is there though not one byte of the body was sent.
    const announced = await speak(head(`content-length: ${60 * 1024 * 1024}`));
    expect(announced).toMatch(/^HTTP\/1.1 413 /);
    expect(announced).toContain('"code":"body_too_large"');
    expect(announced).toContain('"hint"');

    const chunk = `100000\r\n${" ".repeat(0x100000)}\r\n`;
    const chunked = await speak(head("transfer-encoding: chunked") + chunk.repeat(60));
    expect(chunked).toMatch(/^HTTP\/1.1 413 /);
    const sent = await bench.send("/session", { body: { workspaceID: "x".repeat(60 * 1024 * 1024) } });
    expect(sent).toMatchObject({ status: 413, body: { code: "body_too_large" } });
    expect((await memory()) - before).toBeLessThan(40 * 1024);
  });

  it("a file of more than 32 MiB is refused the same way, and nothing of it is there", async () => {
    const workspace = await bench.workspace();
    const head = [
      `PUT /file/content?path=big&workspace=${workspace.id} HTTP/1.1`,
      "host: stub",
      `authorization: Bearer ${bench.stub.token}`,
      `content-length: ${33 * 1024 * 1024}`,
    ];
    expect(await speak(`${head.join("\r\n")}\r\n\r\n`)).toMatch(/^HTTP\/1.1 413 [\s\S]*body_too_large/);
    expect((await bench.send("/file/stat?path=big", { workspace: workspace.id })).status).toBe(404);
  });
});

describe("requests", () => {
  it("what is no HTTP, has no Host, or has headers without end is answered and closed (row 27)", async () => {
    expect(await speak("this is no http\r\n\r\n")).toMatch(/^HTTP\/1.1 400 [\s\S]*invalid_request/);
    expect(await speak(`GET /global/health HTTP/1.0\r\nauthorization: Bearer ${bench.stub.token}\r\n\r\n`)).toMatch(
      / 403 [\s\S]*foreign_origin/,
    );
    expect(await speak(`GET / HTTP/1.1\r\nhost: stub\r\nx: ${"y".repeat(64 * 1024)}\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 431 /,
    );
  });

  it("unknown endpoints and methods are 404 with our code, odd paths are none of the endpoints", async () => {
    for (const path of ["/", "/nope", "/session/", "//session", "/session/../workspace", "/global/health/x", "/%"]) {
      const answer = await bench.send(path, { method: "PUT", body: {} });
      expect([path, answer.status >= 400 && answer.status < 500, typeof answer.body.code]).toEqual([
        path,
        true,
        "string",
      ]);
    }
    expect(await bench.send("/global/health", { method: "POST", body: {} })).toMatchObject({
      status: 404,
      body: { code: "not_found" },
    });
  });

  it("ids that could leave a directory are refused at every endpoint (row 21)", async () => {
    const evil = ["..%2f..%2fetc", "ses_..", "%2e%2e", "ses_aaaaaaaa%00", "ses_aaaaaaaa%2f..", "a".repeat(300)];
    for (const id of evil) {
      for (const [method, path] of [
        ["GET", `/session/${id}`],
        ["DELETE", `/session/${id}`],
        ["POST", `/session/${id}/abort`],
        ["GET", `/command/${id}`],
        ["POST", `/command/${id}/cancel`],
        ["POST", `/permission/${id}/reply`],
        ["GET", `/experimental/workspace/${id}/context`],
      ] as const) {
        const { status } = await bench.send(path, {
          method,
          ...(path.endsWith("reply") ? { body: { reply: "once" }, approver: bench.approver } : {}),
        });
        expect([method, path, status === 400 || status === 404 || status === 414]).toEqual([method, path, true]);
      }
    }
    const workspace = await bench.workspace();
    for (const body of [
      { commandID: "../../x", sessionID: newID("ses"), workspaceID: workspace.id, command: "true" },
      { commandID: newID("cmd"), sessionID: "ses_../../x", workspaceID: workspace.id, command: "true" },
      { commandID: newID("cmd"), sessionID: newID("ses"), workspaceID: workspace.id, command: "a\0b" },
      { commandID: newID("cmd"), sessionID: newID("ses"), workspaceID: workspace.id, command: "true", cwd: "a\0b" },
      {
        commandID: newID("cmd"),
        sessionID: newID("ses"),
        workspaceID: workspace.id,
        command: "true",
        env: { "A=B": "x" },
      },
      {
        commandID: newID("cmd"),
        sessionID: newID("ses"),
        workspaceID: workspace.id,
        command: "true",
        env: { A: "x\0y" },
      },
    ]) {
      expect((await bench.send("/command", { body })).status).toBe(400);
    }
  });

  it("errors inside are one line to the client; the log has the rest, and no secret", async () => {
    await bench.send("/session", { headers: { "x-odd": bench.stub.token } });
    const log = await readFile(`${bench.stub.installRoot}/log/stub.log`, "utf8");
    expect(log).toContain("the stub listens");
    expect(log).not.toContain(bench.stub.token);
    expect(log).not.toContain(bench.approver);
  });
});
