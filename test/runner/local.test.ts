// The contract on this machine's own runner.
import { homedir, hostname, tmpdir, userInfo } from "node:os";
import { rgPath } from "@vscode/ripgrep";
import { createLocalRunner } from "../../plugin/runner/local/provider.js";
import { runnerContract } from "./contract.js";

runnerContract("local", async () => ({
  provider: createLocalRunner({
    hostname: hostname(),
    platform: process.platform,
    arch: process.arch,
    home: homedir(),
    user: userInfo().username,
    shell: "/bin/bash",
    rg: rgPath,
    env: { PATH: process.env.PATH, HOME: homedir() },
    tmpdir: tmpdir(),
  }),
  host: "here",
  stop: async () => undefined,
}));
