// The commands of a session: what the host's configuration adds to them, and what is asked on their behalf.
import { codeOf } from "../../../protocol/errors.js";
import { newID } from "../../../protocol/ids.js";
import type { AskedPath } from "../../../protocol/permission.js";
import { resumeCommand } from "../../stub-client/command-stream.js";
import type { CommandResult, FollowCommandOptions, OperationOptions, RunCommandRequest } from "../runner.js";
import { withAsks } from "./asking.js";
import type { HostCalls } from "./calls.js";
import { type CommandWork, runCommand, toResult } from "./command.js";
import { runWithInput } from "./input.js";
import { RunningAsks } from "./running-asks.js";
import { applySetting } from "./setting.js";

export class HostCommands {
  readonly #calls: HostCalls;
  /** For commands whose caller names no session of OpenCode's. */
  readonly #ownSessionID = newID("ses");

  readonly #asks = new RunningAsks();

  constructor(calls: HostCalls) {
    this.#calls = calls;
  }

  async run(request: RunCommandRequest): Promise<CommandResult> {
    const { client, workspace, setting } = await this.#calls.open();
    const { commandID, cwd, timeoutMs, input } = request;
    const common = this.#calls.asking(client, request);
    const { onAsk } = common;
    const body = {
      commandID,
      sessionID: request.sessionID ?? this.#ownSessionID,
      workspaceID: workspace.id,
      ...applySetting(request, setting),
      ...(cwd === undefined ? {} : { cwd }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(input === undefined ? {} : { stdin: "pipe" as const }),
      ...(request.unconfined === true ? { unconfined: true } : {}),
      onAsk: onAsk === undefined ? ("fail" as const) : ("stream" as const),
    };
    const { detach } = request;
    const calls = this.#calls;
    const asking = {
      ...common,
      // read only where something is asked: to make one takes longer than a request's way through SSH
      get signal() {
        return calls.signal(request.signal, detach);
      },
    };
    const work: CommandWork = {
      client,
      commandID,
      signal: request.signal,
      ...(detach === undefined ? {} : { detach }),
      closed: this.#calls.closed,
      onOutput: request.onOutput,
      asks: this.#asks.of(asking),
      start: (follow) =>
        withAsks(asking, (answered) => {
          const permissionID = answered.at(-1);
          return workspace.within(() => follow(permissionID === undefined ? body : { ...body, permissionID }));
        }),
    };
    return await (input === undefined ? runCommand(work) : runWithInput(work, input));
  }

  async cancel(commandID: string, signal?: AbortSignal): Promise<boolean> {
    const { client } = await this.#calls.open();
    try {
      const record = await client.cancel(commandID, this.#calls.signal(signal));
      return record.aborted;
    } catch (error) {
      if (codeOf(error) === "command_unknown") return false;
      throw error;
    }
  }

  async askForBlocked(commandID: string, options: OperationOptions = {}): Promise<AskedPath[]> {
    const { client } = await this.#calls.open();
    const signal = this.#calls.signal(options.signal);
    return await withAsks(this.#calls.asking(client, { ...options, signal }), async (answered) => {
      const permissionID = answered.at(-1);
      const body = { onAsk: "fail" as const, ...(permissionID === undefined ? {} : { permissionID }) };
      return (await client.askForBlocked(commandID, body, signal)).paths;
    });
  }

  async find(commandID: string, signal?: AbortSignal): Promise<CommandResult | undefined> {
    const { client } = await this.#calls.open();
    try {
      return toResult(await client.command(commandID, this.#calls.signal(signal)), 0);
    } catch (error) {
      if (codeOf(error) === "command_unknown") return undefined;
      throw error;
    }
  }

  async follow(commandID: string, options: FollowCommandOptions): Promise<CommandResult> {
    const { client } = await this.#calls.open();
    const { from = { stdout: 0, stderr: 0 }, onOutput } = options;
    const signal = this.#calls.signal(options.signal);
    let missed = 0;
    const record = await resumeCommand(client, commandID, {
      from,
      signal,
      ...(onOutput === undefined ? {} : { onOutput }),
      onGap: ({ first, last }) => {
        missed += last - first + 1;
      },
    });
    return toResult(record, missed);
  }
}
