// Policies of a workspace on real directories: what they say, when they are made anew, and when not.
import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { newID } from "../../protocol/ids.js";
import type { Workspace } from "../../protocol/workspace.js";
import { helperBinary } from "../../test/fixtures/helper-binary.js";
import { describe } from "../../test/fixtures/with-compiler.js";
import { Approvals, type Grant, KeptApprovals } from "../permission/approvals.js";
import { Problems } from "../problems.js";
import { JsonStore } from "../state/store.js";
import { identityOf } from "./entries.js";
import { Policies, type Policy } from "./policy.js";
import { PrivateDirectories } from "./private-directories.js";

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

let folder: string;
let home: string;
let installRoot: string;
let directory: string;
let approvals: Approvals;
let privateDirectories: PrivateDirectories;
let policies: Policies;
let workspace: Workspace;

beforeEach(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "ocrs-policy-")));
  home = join(folder, "home");
  installRoot = join(home, ".root");
  directory = join(home, "project");
  for (const each of [join(installRoot, "tmp"), directory, join(home, ".ssh")]) mkdirSync(each, { recursive: true });
  const context = { log, problems: new Problems(), mayChange: async () => undefined };
  const store = await JsonStore.open(join(folder, "approvals"), KeptApprovals, context as never);
  const masked = [installRoot, join(home, ".ssh")];
  approvals = new Approvals(store, { masked, own: (id) => join(installRoot, "tmp", id) });
  privateDirectories = new PrivateDirectories({ directory: join(installRoot, "tmp"), helper: await helperBinary() });
  policies = new Policies({ approvals, host: { home, installRoot }, masked, privateDirectories });
  workspace = {
    id: newID("wrk"),
    type: "t",
    name: "t",
    branch: null,
    directory,
    readRoots: [],
    extra: null,
    approver: "0000000000000000",
    time: { created: 0 },
  };
  await approve({ path: directory, access: "write", kind: "directory", source: "root" });
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const approve = (grant: Grant) => approvals.add(workspace.id, [grant]);
const of = (wish: Partial<Parameters<Policies["of"]>[1]> = {}) => policies.of(workspace, { isView: false, ...wish });
const lines = ({ bytes }: Policy) => bytes.toString("utf8").split("\0").slice(0, -1);
const own = () => privateDirectories.of(workspace.id);

describe("a workspace's policy", () => {
  it("has the base set, the private directory and the approvals with what lies there, each behind a NUL", async () => {
    const file = join(home, "notes.txt");
    await approve({ path: file, access: "read", kind: "file", source: "reply" });
    const all = lines(of());
    expect(all[0]).toBe("confine 1");
    expect(all).toContain("sys - /usr");
    expect(all).toContain("dev - /dev/null");
    expect(all).toContain(`rw ${own().identity} ${own().path}`);
    expect(all).toContain(`rw ${identityOf(directory, true)} ${directory}`);
    expect(all).toContain(`ro-file ${identityOf(home, true)} ${file}`);
    expect(all.some((line) => line.includes("shadow") || line.includes("/etc/ssl/private"))).toBe(false);
    expect(all).not.toContain("option no-network");
  });

  it("is the same object, with the same key, until something changes; then another", async () => {
    const first = of();
    expect(of()).toBe(first);
    await approve({ path: join(home, "x"), access: "read", kind: "file", source: "reply" });
    const second = of();
    expect(second.key).not.toBe(first.key);
    writeFileSync(join(home, "x"), "new"); // the name now means a file that no rule set knows
    expect(of().key).not.toBe(second.key);
    expect(of().key).toBe(of().key);
  });

  it("gives nothing for a directory that was replaced, by another or by a link", () => {
    const line = `rw ${identityOf(directory, true)} ${directory}`;
    expect(lines(of())).toContain(line);
    renameSync(directory, `${directory}-old`);
    mkdirSync(directory);
    expect(lines(of()).filter((each) => each.endsWith(directory))).toEqual([]);
    rmSync(directory, { recursive: true });
    symlinkSync(join(home, ".ssh"), directory);
    expect(lines(of()).filter((each) => each.endsWith(directory))).toEqual([]);
    rmSync(directory);
    renameSync(`${directory}-old`, directory);
    expect(lines(of())).toContain(line);
  });

  it("has what one command was granted once in that command's policy, and in no other", () => {
    const lent = [{ path: home, access: "read" as const, kind: "directory" as const }];
    const wider = of({ lent });
    expect(lines(wider)).toContain(`ro ${identityOf(home, true)} ${home}`);
    expect(of().key).not.toBe(wider.key);
    expect(lines(of())).not.toContain(`ro ${identityOf(home, true)} ${home}`);
  });

  it("hides the stub's files and the user's keys in a view whose root holds them, unless they were meant themselves", async () => {
    await approve({ path: home, access: "write", kind: "directory", source: "root" });
    const keys = join(home, ".ssh");
    expect(lines(of({ isView: true }))).toEqual(expect.arrayContaining([`hide - ${installRoot}`, `hide - ${keys}`]));
    expect(lines(of({ isView: true }))).toContain(`bind ${own().identity} ${own().path} /tmp`);
    expect(lines(of()).some((line) => line.startsWith("hide") || line.startsWith("bind"))).toBe(false);
    await approve({ path: keys, access: "read", kind: "directory", source: "reply" });
    expect(lines(of({ isView: true }))).not.toContain(`hide - ${keys}`);
  });

  it("says where the network is denied", () => {
    expect(lines(policies.of({ ...workspace, network: false }, { isView: false }))).toContain("option no-network");
  });
});

describe("approvals around what is masked", () => {
  it("give neither the stub's files nor the keys, to the file API either; an approval of the keys themselves does", async () => {
    await approve({ path: home, access: "write", kind: "directory", source: "root" });
    const key = join(home, ".ssh/id");
    expect(approvals.allows(workspace.id, join(home, "anything"), "write")).toBe(true);
    expect(approvals.allows(workspace.id, key, "read")).toBe(false);
    expect(approvals.allows(workspace.id, join(installRoot, "run/stub.token"), "read")).toBe(false);
    await approve({ path: key, access: "read", kind: "file", source: "reply" });
    expect(approvals.allows(workspace.id, key, "read")).toBe(true);
  });

  it("the private directory is the workspace's own, and of no other", () => {
    expect(approvals.allows(workspace.id, join(own().path, "x"), "write")).toBe(true);
    expect(approvals.allows(newID("wrk"), join(own().path, "x"), "read")).toBe(false);
  });
});

describe("private directories", () => {
  it("are removed with what is in them, closed directories too, and without following a link", async () => {
    const { path } = own();
    const outside = join(folder, "outside");
    mkdirSync(outside);
    writeFileSync(join(outside, "kept"), "");
    mkdirSync(join(path, "closed/deep"), { recursive: true, mode: 0o555 });
    symlinkSync(outside, join(path, "link"));
    await privateDirectories.remove(workspace.id);
    expect(identityOf(path, true)).toBeUndefined();
    expect(identityOf(join(outside, "kept"), false)).toBeDefined();
  });

  it("of workspaces that are no more are swept, others stay", async () => {
    const kept = own();
    const gone = privateDirectories.of(newID("wrk"));
    await privateDirectories.sweep((id) => id === workspace.id);
    expect(identityOf(kept.path, true)).toBe(kept.identity);
    expect(identityOf(gone.path, true)).toBeUndefined();
  });
});
