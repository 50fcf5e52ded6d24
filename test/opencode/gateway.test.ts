// The gateway in front of the real OpenCode: what concerns files is the host's, in the shapes that OpenCode gives for the
// same tree; everything else is OpenCode's; and nobody else comes in.
import { execFile } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { WebSocket } from "ws";
import type { Remote } from "../../plugin/compose.js";
import { basic } from "../../plugin/opencode-v1/gateway/door.js";
import { Gateway } from "../../plugin/opencode-v1/gateway/gateway.js";
import { gitTree } from "../fixtures/git-tree.js";
import { followEvents } from "./fixtures/events.js";
import { startWorld, type World } from "./fixtures/world.js";

vi.setConfig({ testTimeout: 120_000 });

const CANARY = "canary-of-the-anchor";

let world: World;
let gateway: Gateway;
let remote: Remote;

beforeAll(async () => {
  world = await startWorld({
    onHost: async (_host, own) => {
      remote = own;
    },
  });
  plant(world.work);
  writeFileSync(join(world.anchor, `${CANARY}.txt`), `${CANARY}\n`);
  const { url, authorization } = world.opencode;
  gateway = await Gateway.open({
    upstream: { port: Number(new URL(url).port), authorization },
    directory: world.anchor,
    stateDir: world.stateDir,
    runner: remote.runner,
  });
}, 180_000);
afterAll(async () => {
  await gateway?.close();
  await world?.stop();
}, 60_000);

/** What only the host has. */
function plant(directory: string): void {
  const tree = gitTree(directory);
  tree.write(".gitignore", "*.log\ndist/\n");
  tree.write("only-on-the-host.txt", "a needle of the host\n");
  tree.write("sub/deep/module.ts", "export const needle = 1;\r\n");
  tree.write("Zebra.md", "\ufeff# big\n\n");
  tree.write("sp ace/w ü#?.txt", "q\n");
  tree.write("ign.log", "x\n");
  tree.write("dist/out.js", "needle\n");
  writeFileSync(join(directory, "bin.dat"), Buffer.from([1, 0, 2, 255]));
  writeFileSync(join(directory, "empty.txt"), "");
  mkdirSync(join(directory, "bare"));
  symlinkSync("only-on-the-host.txt", join(directory, "link"));
  symlinkSync("/etc/hostname", join(directory, "out"));
  tree.commit();
  tree.git("checkout", "-q", "-b", "branch-of-the-host");
  tree.write("only-on-the-host.txt", "a needle of the host\nmore\n");
}

interface Got {
  status: number;
  type: string | null;
  text: string;
}

async function get(path: string, init: RequestInit = {}): Promise<Got> {
  const response = await fetch(gateway.url + path, {
    ...init,
    headers: { authorization: basic(gateway.username, gateway.password), ...init.headers },
    signal: init.signal ?? AbortSignal.timeout(60_000),
  });
  return { status: response.status, type: response.headers.get("content-type"), text: await response.text() };
}

const inAnchor = (path: string) => {
  const name = path.startsWith("/api/") ? "location[directory]" : "directory";
  return get(`${path}${path.includes("?") ? "&" : "?"}${name}=${encodeURIComponent(world.anchor)}`);
};

/** What OpenCode itself answers for the host's directory, as if it were the anchor. */
async function plain(path: string): Promise<Got> {
  const { url, authorization } = world.opencode;
  const response = await fetch(url + path, {
    headers: { authorization, "x-opencode-directory": encodeURIComponent(world.work) },
    signal: AbortSignal.timeout(60_000),
  });
  const text = (await response.text()).replaceAll(world.work, world.anchor);
  return { status: response.status, type: response.headers.get("content-type"), text };
}

/** The project of the other directory is another one, and texts of failures are ours. */
function shape({ status, text }: Got): unknown {
  if (status >= 500) return { status };
  if (!text.startsWith("{") && !text.startsWith("[")) return { status, text };
  const body = JSON.parse(text) as { location?: unknown };
  return { status, body: "location" in body ? { ...body, location: "its own" } : body };
}

it("a file of a prompt is the host's, text or image, and OpenCode looks for none of it here", async () => {
  const pixel = Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "base64",
  );
  writeFileSync(join(world.work, "pixel.png"), pixel);
  writeFileSync(join(world.anchor, "Zebra.md"), `${CANARY}\n`);
  onTestFinished(() => rmSync(join(world.anchor, "Zebra.md")));
  const { sessionID } = await world.conversation();
  const file = (name: string, mime: string) => ({
    ...{ type: "file", mime, filename: name },
    url: pathToFileURL(join(world.anchor, name)).href,
  });
  const parts = [
    { type: "text", text: "see @only-on-the-host.txt" },
    file("only-on-the-host.txt", "text/plain"),
    file("Zebra.md", "text/plain"),
    file("nope.txt", "text/plain"),
    file("pixel.png", "image/png"),
    { type: "file", mime: "text/plain", filename: "pasted.txt", url: "data:text/plain;base64,cGFzdGVk" },
  ];
  const before = world.events.all.length;
  const answer = await get(`/session/${sessionID}/message`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-opencode-directory": encodeURIComponent(world.anchor) },
    body: JSON.stringify({ parts }),
  });
  expect(answer.status).toBe(200);
  const shown = JSON.stringify(world.model.conversation().at(-1));
  for (const text of ["a needle of the host", "# big", "pasted", `no such file or directory: ${world.work}/nope.txt`]) {
    expect(shown).toContain(text);
  }
  const { text: saved } = await inAnchor(`/session/${sessionID}/message`);
  expect(saved).toContain(`data:image/png;base64,${pixel.toString("base64")}`);
  expect(shown).not.toContain(CANARY);
  expect(shown).not.toContain(world.anchor);
  expect(world.events.all.slice(before).filter(({ type }) => type === "session.error")).toEqual([]);
});

const SAME = [
  ...["", ".", "sub", "sub/", "sp ace", "bare", "nope", "..", "/etc", "only-on-the-host.txt", "out"].flatMap((path) => [
    `/file?path=${encodeURIComponent(path)}`,
    `/api/fs/list?path=${encodeURIComponent(path)}`,
  ]),
  ...[
    "only-on-the-host.txt",
    "Zebra.md",
    "bin.dat",
    "empty.txt",
    "link",
    "nope",
    "sub",
    "../x",
    "/etc/hostname",
    "out",
  ].map((path) => `/file/content?path=${encodeURIComponent(path)}`),
  "/api/fs/list",
  "/api/fs/read/only-on-the-host.txt",
  `/api/fs/read/${encodeURIComponent("sp ace/w ü#?.txt")}`,
  "/api/fs/read/nope",
  "/api/fs/read/..%2fx",
  "/find?pattern=needle%20of",
  "/find/file?query=only-on-the",
  "/find/file?query=module.ts&limit=1",
  "/find/file?query=zzzzzzzz",
  "/find/symbol?query=x",
  "/file/status",
  "/vcs",
  "/vcs/status",
  "/vcs/diff?mode=git",
  "/vcs/diff?mode=branch&context=1",
  "/vcs/diff/raw",
  "/api/fs/find?query=module.ts&limit=1",
  // What is asked wrongly.
  ...["/file", "/file/content", "/find/file", "/find/symbol", "/api/fs/find", "/vcs/diff", "/vcs/diff?mode=x"],
  ...["0", "201", "x", "1.5"].map((limit) => `/find/file?query=e&limit=${limit}`),
  ...["0", "x"].map((limit) => `/api/fs/find?query=e&limit=${limit}`),
  "/find/file?query=e&type=other",
];

describe("files, names and version control of an anchor", () => {
  it("are the host's, in OpenCode's own shapes for the same tree", async () => {
    const ours = [];
    const theirs = [];
    for (const path of SAME) {
      ours.push({ path, got: shape(await inAnchor(path)) });
      theirs.push({ path, got: shape(await plain(path)) });
    }
    expect(ours).toEqual(theirs);
  });

  it("are never the anchor's own, which a request past the gateway would be shown", async () => {
    const past = (path: string) => world.opencode.request<unknown>("GET", path, undefined, { directory: world.anchor });
    for (const path of ["/file?path=.", `/file/content?path=${CANARY}.txt`, `/find?pattern=${CANARY}`]) {
      expect(JSON.stringify(await past(path))).toContain(CANARY);
    }
    const name = `${CANARY}.txt`;
    const asked = [
      "/file?path=.",
      `/file/content?path=${name}`,
      `/file/content?path=${encodeURIComponent(join(world.anchor, name))}`,
      `/find?pattern=${CANARY}`,
      `/find/file?query=${CANARY}`,
      "/vcs/status",
      "/api/fs/list",
      `/api/fs/read/${name}`,
      `/api/fs/find?query=${CANARY}`,
      // as OpenCode's router takes them, too
      "//FIND/file/?query=canary",
      "/%66ile/%63ontent?path=canary-of-the-anchor.txt",
      "/API/fs/Read/canary-of-the-anchor.txt",
    ];
    for (const path of asked) {
      const { status, text } = await inAnchor(path);
      // A file that is not there is an empty one, or the failure names what was asked for.
      const shown = status === 200 ? text : text.replaceAll(`./${name}`, "");
      expect({ path, shown }).toEqual({ path, shown: expect.not.stringContaining(CANARY) });
    }
    // Where a request names no directory, and where a header does.
    expect((await get("/find/file?query=only-on")).text).toContain("only-on-the-host.txt");
    const headers = { "x-opencode-directory": encodeURIComponent(world.anchor) };
    expect((await get("/api/fs/find?query=only-on", { headers })).text).toContain("only-on-the-host.txt");
    expect(JSON.parse((await inAnchor("/api/fs/list")).text).location).toEqual(
      JSON.parse((await inAnchor("/api/location")).text),
    );
  });

  it("of any other directory are OpenCode's own", async () => {
    const { text } = await get(`/find/file?query=needle&directory=${encodeURIComponent(world.opencode.home)}`);
    expect(text).not.toContain("only-on-the-host");
    const above = await get(`/file?path=.&directory=${encodeURIComponent(join(world.anchor, ".."))}`);
    expect(above).toMatchObject({ status: 503, text: expect.stringContaining("this is not the anchor itself") });
  });

  it("fail with the reason while the host is away, and are there again when it is", async () => {
    world.host.pause();
    onTestFinished(() => world.host.resume());
    const paths = ["/vcs", "/file?path=.", "/api/fs/find?query=a"];
    for (const { status, text } of await Promise.all(paths.map(inAnchor))) {
      expect(status).toBe(503);
      expect(text).toMatch(/"name":"UnknownError".*The host alpha cannot be used/);
    }
    world.host.resume();
    await expect.poll(async () => (await inAnchor("/vcs")).status, { timeout: 60_000, interval: 500 }).toBe(200);
    expect((await inAnchor("/vcs")).text).toContain("branch-of-the-host");
  });
});

describe("everything else", () => {
  it("is OpenCode's own: events as they come, a conversation whose tools act on the host", async () => {
    const authorization = basic(gateway.username, gateway.password);
    const log = await followEvents(gateway.url, authorization, world.anchor);
    const conversation = await world.conversation();
    await log.waitFor(({ type }) => type === "session.created");
    const calls = [{ name: "read", arguments: { filePath: "only-on-the-host.txt" } }];
    expect((await conversation.say("go", [{ calls }])).answers.join()).toContain("a needle of the host");
    await log.waitFor(({ type }) => type === "session.idle");
    log.close();
  });

  it("passes in both directions: a terminal by its WebSocket", async () => {
    const headers = { "content-type": "application/json", authorization: basic(gateway.username, gateway.password) };
    const directory = encodeURIComponent(world.opencode.home);
    const created = await get(`/pty?directory=${directory}`, {
      method: "POST",
      headers,
      body: JSON.stringify({ command: "/bin/cat", args: [] }),
    });
    expect(created.status).toBe(200);
    const { id } = JSON.parse(created.text) as { id: string };
    const url = `${gateway.url.replace("http", "ws")}/pty/${id}/connect?directory=${directory}`;
    const socket = new WebSocket(url, { headers: { authorization: headers.authorization } });
    let shown = "";
    socket.on("message", (data: Buffer) => {
      shown += data.toString();
    });
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    socket.send("through the gateway\r");
    await expect.poll(() => shown, { timeout: 30_000 }).toContain("through the gateway");
    socket.close();
    await get(`/pty/${id}?directory=${directory}`, { method: "DELETE" });
  });
});

describe("the gateway is closed", () => {
  const own = () => basic(gateway.username, gateway.password);
  const port = () => new URL(gateway.url).port;
  const curl = async (args: string[], uid?: number) => {
    const options = uid === undefined ? {} : { uid, gid: uid };
    const all = ["-s", "-m", "20", "-w", "\n%{http_code}", ...args];
    const { stdout } = await promisify(execFile)("/usr/bin/curl", all, { ...options, cwd: "/", encoding: "utf8" });
    const [, body = "", status = ""] = /^([\s\S]*)\n(\d+)$/.exec(stdout) ?? [];
    return { status: Number(status), body };
  };

  it("to another user of the laptop, who has no password and finds none", {
    skip: process.getuid?.() !== 0,
  }, async () => {
    const nobody = 65_534;
    for (const path of ["/vcs", "/file?path=.", "/config", "/global/health", "/event", "/", "/nowhere"]) {
      const { status, body } = await curl([gateway.url + path], nobody);
      expect({ path, status }).toEqual({ path, status: 401 });
      expect(body).not.toMatch(/host|branch|healthy/);
    }
    for (const wrong of ["opencode:", "opencode:wrong", `other:${gateway.password}`, `opencode:${gateway.password}x`]) {
      expect((await curl(["-u", wrong, `${gateway.url}/vcs`], nobody)).status).toBe(401);
    }
    // The server behind it does not take the gateway's password, and with it the same user would come in.
    const behind = await curl(["-u", `opencode:${gateway.password}`, `${world.opencode.url}/vcs`], nobody);
    expect(behind.status).toBe(401);
    expect((await curl(["-u", `opencode:${gateway.password}`, `${gateway.url}/vcs`], nobody)).status).toBe(200);
  });

  it("to web pages: by their Origin, by the Host of a name that was bound anew, and to what they may send unasked", async () => {
    const authorization = `authorization: ${own()}`;
    const session = `${gateway.url}/session`;
    const page = ["-H", "origin: http://evil.example"];
    const refused = [
      [...page, "-H", authorization, `${gateway.url}/vcs`],
      ["-H", "origin: null", "-H", authorization, `${gateway.url}/vcs`],
      ["-H", `origin: http://127.0.0.1:${Number(port()) + 1}`, "-H", authorization, `${gateway.url}/vcs`],
      ["-H", `host: evil.example:${port()}`, "-H", authorization, `${gateway.url}/vcs`],
      ["-H", "host:", "-H", authorization, `${gateway.url}/vcs`],
      [...page, "-X", "OPTIONS", "-H", "access-control-request-method: POST", session],
      [...page, "-H", "content-type: text/plain", "-d", "{}", session],
      [
        ...page,
        "-H",
        "connection: Upgrade",
        "-H",
        "upgrade: websocket",
        "-H",
        authorization,
        `${gateway.url}/pty/x/connect`,
      ],
    ];
    for (const args of refused) {
      const headers = await curl(["-D", "-", ...args]);
      expect({ args, status: headers.status }).toEqual({ args, status: 403 });
      expect(headers.body.toLowerCase()).not.toContain("access-control-allow");
    }
    // A form of a page that tells no Origin has no password either.
    expect((await curl(["-H", "content-type: text/plain", "-d", "{}", session])).status).toBe(401);
    expect((await curl(["-H", `origin: ${gateway.url}`, "-H", authorization, `${gateway.url}/vcs`])).status).toBe(200);
  });
});
