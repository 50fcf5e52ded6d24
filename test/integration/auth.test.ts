// Who is let in: the bearer token, the listener's proof, and who is refused whatever it knows.
import { createHmac } from "node:crypto";
import { chmod, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Bearer } from "../../stub/auth/token.js";
import { type StubFixture, startStub } from "../fixtures/stub.js";
import { describe } from "../fixtures/with-compiler.js";

let stub: StubFixture;
beforeAll(async () => {
  stub = await startStub();
});
afterAll(() => stub.stop());

/** A raw request: fetch forbids setting Host and Origin. */
function raw(options: { port?: number; socketPath?: string; headers?: Record<string, string>; path?: string }) {
  return new Promise<{ status: number; headers: IncomingHttpHeaders; body: string }>((resolve, reject) => {
    const { headers = {}, path = "/global/health", ...where } = options;
    const target = where.socketPath === undefined ? { host: "127.0.0.1", port: where.port ?? stub.json.port } : where;
    httpRequest({ ...target, path, headers, agent: false }, (answer) => {
      let body = "";
      answer.on("data", (chunk) => {
        body += chunk;
      });
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body }));
    })
      .on("error", reject)
      .end();
  });
}

const bearer = () => ({ authorization: `Bearer ${stub.token}` });

describe("the bearer token", () => {
  it("opens the stub, with a newline behind it in the file and whitespace around it in the header (row 8)", async () => {
    expect(await readFile(join(stub.installRoot, "run/stub.token"), "utf8")).toMatch(/^[0-9a-f]{64}\n$/);
    expect((await raw({ headers: bearer() })).status).toBe(200);
    expect((await raw({ headers: { authorization: `Bearer   ${stub.token}  ` } })).status).toBe(200);
  });

  it("is asked for everywhere, unknown paths included, and a wrong one is 401 with a hint", async () => {
    for (const path of ["/global/health", "/session", "/file?path=/", "/audit", "/nowhere"]) {
      const answer = await raw({ path });
      expect([path, answer.status]).toEqual([path, 401]);
      expect(JSON.parse(answer.body)).toMatchObject({
        code: "unauthorized",
        hint: expect.stringContaining("stub.token"),
      });
    }
    for (const authorization of ["Bearer", "Bearer x", `Basic ${stub.token}`, `Bearer ${stub.token}0`, stub.token]) {
      expect((await raw({ headers: { authorization } })).status).toBe(401);
    }
  });

  it("is compared by its digest, so that lengths and common beginnings tell nothing (row 27)", () => {
    const check = new Bearer("a".repeat(64));
    expect(check.accepts(`Bearer ${"a".repeat(64)}`)).toBe(true);
    for (const wrong of ["", "a", `${"a".repeat(63)}b`, "a".repeat(65), "ä".repeat(64)]) {
      expect(check.accepts(`Bearer ${wrong}`)).toBe(false);
    }
  });

  it("lies in a file of 0600 in directories of 0700, even where they were wider before (row 23)", async () => {
    const root = join(stub.home, "wide");
    await mkdir(join(root, "run"), { recursive: true });
    await chmod(root, 0o755);
    await writeFile(join(root, "run/stub.token"), `${"ab".repeat(32)}\n`, { mode: 0o644 });
    await using second = await startStub({ installRoot: root });
    expect(second.token).toBe("ab".repeat(32));
    const modes = [
      "",
      "run",
      "state",
      "state/approvers",
      "log",
      "run/stub.token",
      "run/stub.json",
      "log/audit.log",
    ].map(async (name) => [name, ((await stat(join(root, name))).mode & 0o777).toString(8)]);
    expect(Object.fromEntries(await Promise.all(modes))).toEqual({
      "": "700",
      run: "700",
      state: "700",
      "state/approvers": "700",
      log: "700",
      "run/stub.token": "600",
      "run/stub.json": "600",
      "log/audit.log": "600",
    });
    expect((await stat(second.socket)).mode & 0o777).toBe(0o600);
    await second.stop();
    await rm(root, { recursive: true });
  });
});

describe("the proof of the listener", () => {
  const nonce = "nonce_0123456789";
  const proofFor = (port: number, instanceID = stub.instanceID) =>
    createHmac("sha256", stub.token).update(`${nonce}|${instanceID}|${port}`).digest("hex");

  it("comes with the 401 of a request without token, bound to this instance and to the port that was dialled (row 24)", async () => {
    const answer = await raw({ headers: { "x-stub-challenge": nonce } });
    expect(answer.status).toBe(401);
    expect(answer.headers["x-stub-proof"]).toBe(proofFor(stub.json.port));
  });

  it("counts the unix socket as port 0", async () => {
    const answer = await raw({ socketPath: stub.socket, headers: { host: "stub", "x-stub-challenge": nonce } });
    expect(answer.headers["x-stub-proof"]).toBe(proofFor(0));
  });

  it("finds out a listener that relays the challenge to the real stub: the port does not fit (rows 15, 24)", async () => {
    // The impostor sits on the port that a dead stub had announced; the live one listens elsewhere.
    const impostor = createServer((incoming, outgoing) => {
      const headers = { ...incoming.headers, host: "127.0.0.1" };
      httpRequest({ host: "127.0.0.1", port: stub.json.port, path: incoming.url, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(outgoing);
      }).end();
    });
    await new Promise<void>((resolve) => impostor.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = impostor.address() as AddressInfo;
      const answer = await raw({ port, headers: { "x-stub-challenge": nonce } });
      expect(answer.headers["x-stub-proof"]).toMatch(/^[0-9a-f]{64}$/);
      expect(answer.headers["x-stub-proof"]).not.toBe(proofFor(port));
    } finally {
      impostor.close();
    }
  });

  it("is given for health only, and for no nonce that could be read as something else", async () => {
    expect(
      (await raw({ path: "/session", headers: { "x-stub-challenge": nonce } })).headers["x-stub-proof"],
    ).toBeUndefined();
    for (const odd of ["", "short", "has|a bar in it", "x".repeat(300)]) {
      expect((await raw({ headers: { "x-stub-challenge": odd } })).headers["x-stub-proof"]).toBeUndefined();
    }
  });
});

describe("browsers and foreign names", () => {
  it("any Origin is refused, also with the right token (row 27)", async () => {
    for (const origin of ["https://evil.example", "null", `http://127.0.0.1:${stub.json.port}`]) {
      const answer = await raw({ headers: { ...bearer(), origin } });
      expect(answer.status).toBe(403);
      expect(JSON.parse(answer.body)).toMatchObject({ code: "foreign_origin" });
    }
  });

  it("a Host that is not ours is refused, so a name that was rebound to 127.0.0.1 leads nowhere (row 27)", async () => {
    for (const host of ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "0.0.0.0"]) {
      expect([host, (await raw({ headers: { ...bearer(), host } })).status]).toEqual([host, 403]);
    }
    for (const host of ["127.0.0.1", "localhost:1", "[::1]:5", "stub", "STUB:80"]) {
      expect([host, (await raw({ headers: { ...bearer(), host } })).status]).toEqual([host, 200]);
    }
  });
});
