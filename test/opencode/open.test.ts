// `open`, as a person sees it: the built CLI in a terminal of a laptop that has OpenCode and no Node.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, onTestFailed, vi } from "vitest";
import { gitTree } from "../fixtures/git-tree.js";
import { Mark } from "../fixtures/marked-processes.js";
import { eventually } from "../fixtures/processes.js";
import { OPENCODE } from "./fixtures/opencode.js";
import { HOST, startWorld, type World } from "./fixtures/world.js";

vi.setConfig({ testTimeout: 180_000 });

const CLI = join(import.meta.dirname, "../../dist/cli.js");
const mark = new Mark();
let world: World;
let tmux: (...args: string[]) => string;

beforeAll(async () => {
  world = await startWorld();
  const tree = gitTree(world.work);
  tree.write("only-on-the-host.txt", "a needle of the host\n");
  tree.commit();
  tree.git("checkout", "-q", "-b", "branch-of-the-host");
  writeFileSync(join(world.anchor, "only-in-the-anchor.txt"), "local\n");
  const { home } = world.opencode;
  const bin = join(home, "bin");
  mkdirSync(bin);
  symlinkSync(OPENCODE, join(bin, "opencode"));
  for (const name of ["sh", "env", "git", "sleep"]) symlinkSync(`/usr/bin/${name}`, join(bin, name));
  const env = {
    PATH: bin,
    HOME: home,
    TERM: "xterm-256color",
    LANG: "C.UTF-8",
    XDG_STATE_HOME: join(home, ".local", "state"),
    OPENCODE_DISABLE_MODELS_FETCH: "1",
    OPENCODE_DISABLE_AUTOUPDATE: "1",
  };
  const command = ["-S", join(home, "tmux"), "-f", "/dev/null"];
  tmux = (...args) => execFileSync("/usr/bin/tmux", [...command, ...args], { env, encoding: "utf8" });
}, 180_000);
afterAll(async () => {
  // `kill-server` fails where the last session has ended already.
  try {
    tmux?.("kill-server");
  } catch {
    // there is none
  }
  await world?.stop();
}, 60_000);

const screen = () => tmux("capture-pane", "-p", "-t", "open");
const shows = (text: string | RegExp) =>
  eventually(
    `${text} on the screen`,
    () => (typeof text === "string" ? screen().includes(text) : text.test(screen())),
    90_000,
  );

/** Behind a shell without job control, which goes on when it ends, as a script would. */
function open(): void {
  const line = `BUN_BE_BUN=1 TEST_MARK=${mark.env.TEST_MARK} opencode ${CLI} open ${HOST}:${world.work}; echo "status $?"; sleep 900`;
  tmux("new-session", "-d", "-s", "open", "-x", "160", "-y", "40", line);
}

async function pidOfOpen(): Promise<number> {
  for (const pid of await mark.pids()) {
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    if (words[1] === CLI && words[2] === "open") return pid;
  }
  throw new Error("open does not run");
}

it("shows the host's branch, completes its files and gives them to the model; killed, it leaves nothing; quit, it says so", async () => {
  onTestFailed(() => console.log(screen()));
  open();
  await shows(/alpha\/.*:branch-of-the-host/);
  tmux("send-keys", "-t", "open", "@only");
  await shows("only-on-the-host.txt");
  expect(screen()).not.toContain("only-in-the-anchor");
  tmux("send-keys", "-t", "open", "Tab");
  world.model.play("what is this", [{ text: "the answer of the model" }]);
  tmux("send-keys", "-t", "open", "what is this", "Enter");
  await shows("the answer of the model");
  expect(JSON.stringify(world.model.conversation().at(-1)?.messages)).toContain("a needle of the host");

  process.kill(await pidOfOpen(), "SIGKILL");
  await mark.gone();

  tmux("kill-session", "-t", "open");
  open();
  await shows(/alpha\/.*:branch-of-the-host/);
  tmux("send-keys", "-t", "open", "C-c");
  await shows("status 0");
  await mark.gone();
});
