// POST /session/:id/shell: one command of the user's (`!cmd`), told as OpenCode tells it: busy, messages, a growing part, idle.
import { randomUUID } from "node:crypto";
import type { CommandRecord, CommandRequest } from "../../protocol/command.js";
import { RemoteError } from "../../protocol/errors.js";
import { newID } from "../../protocol/ids.js";
import type { ShellRequest } from "../../protocol/session.js";
import type { Admission, Caller } from "../admission.js";
import { fingerprintOfRequest } from "../commands/fingerprint.js";
import type { Command, CommandService } from "../commands/types.js";
import type { EventBus } from "../events/bus.js";
import type { SessionPlace, Sessions } from "../sessions.js";
import { ShellOutput } from "./output.js";

const INTRODUCTION = "The following tool was executed by the user";

export interface ShellOptions {
  admission: Admission;
  commands: CommandService;
  sessions: Sessions;
  bus: EventBus;
}

interface ToolPart {
  id: string;
  messageID: string;
  sessionID: string;
  type: "tool";
  tool: "bash";
  callID: string;
  state: {
    status: "running" | "completed";
    input: { command: string };
    output?: string;
    title?: string;
    metadata: Record<string, unknown>;
    time: { start: number; end?: number };
  };
}

/** OpenCode's assistant message. */
interface AssistantInfo {
  id: string;
  sessionID: string;
  parentID: string;
  role: "assistant";
  mode: string;
  agent: string;
  cost: number;
  path: { cwd: string; root: string };
  time: { created: number; completed?: number };
  tokens: { input: number; output: number; reasoning: number; cache: { read: number; write: number } };
  modelID: string;
  providerID: string;
}

export interface ShellAnswer {
  info: AssistantInfo;
  parts: [ToolPart];
}

export class Shell {
  readonly #options: ShellOptions;

  constructor(options: ShellOptions) {
    this.#options = options;
  }

  /** Resolves when the shell has ended. Throws what admission and the start throw; nothing is told of what never ran. */
  async run(sessionID: string, request: ShellRequest, caller: Caller): Promise<ShellAnswer> {
    const { sessions, admission } = this.#options;
    const place = sessions.get(sessionID, caller.approver);
    const { command: text, cwd, env, timeoutMs, onAsk, permissionID } = request;
    const commandID = request.commandID ?? newID("cmd");
    const wanted: CommandRequest = { commandID, sessionID, command: text, cwd, env, timeoutMs, onAsk, permissionID };
    const known = this.#options.commands.get(commandID);
    if (known !== undefined && known.fingerprint !== fingerprintOfRequest(wanted)) {
      throw new RemoteError("command_conflict", `${commandID} is another command`);
    }
    const command = known ?? this.#options.commands.start(await admission.admit(wanted, caller));
    await command.started;
    using _busy = sessions.occupy(sessionID);
    const story = new Story(this.#options.bus, place, request, command);
    story.begin();
    await story.follow();
    return story.end();
  }
}

/** What the clients of the event stream are told, in OpenCode's order. */
class Story {
  readonly #bus: EventBus;
  readonly #place: SessionPlace;
  readonly #request: ShellRequest;
  readonly #command: Command;
  readonly #output: ShellOutput;
  readonly #info: AssistantInfo;
  readonly #part: ToolPart;

  constructor(bus: EventBus, place: SessionPlace, request: ShellRequest, command: Command) {
    this.#bus = bus;
    this.#place = place;
    this.#request = request;
    this.#command = command;
    this.#output = new ShellOutput(command);
    const { cwd, time } = command.record();
    const agent = request.agent ?? "build";
    this.#info = {
      id: newID("msg"),
      sessionID: place.session.id,
      parentID: newID("msg"),
      role: "assistant",
      mode: agent,
      agent,
      cost: 0,
      path: { cwd, root: place.workspace.directory ?? cwd },
      time: { created: Date.now() },
      tokens: { input: 0, output: 0, reasoning: 0, cache: { read: 0, write: 0 } },
      ...modelOf(request.model),
    };
    this.#part = {
      id: newID("prt"),
      messageID: this.#info.id,
      sessionID: place.session.id,
      type: "tool",
      tool: "bash",
      callID: randomUUID(),
      state: {
        status: "running",
        input: { command: request.command },
        metadata: { output: "", commandID: command.commandID },
        time: { start: time.started ?? Date.now() },
      },
    };
  }

  begin(): void {
    const { parentID, agent, modelID, providerID, sessionID } = this.#info;
    this.#status("busy");
    const model = { providerID, modelID };
    this.#tell("message.updated", {
      sessionID,
      info: { id: parentID, sessionID, role: "user", time: { created: Date.now() }, agent, model },
    });
    const introduction = {
      id: newID("prt"),
      messageID: parentID,
      sessionID,
      type: "text",
      text: INTRODUCTION,
      synthetic: true,
    };
    this.#tell("message.part.updated", { sessionID, part: introduction, time: Date.now() });
    this.#tellInfo();
    this.#tellPart();
  }

  /** Shows the output as it grows, until the command has ended. */
  async follow(): Promise<void> {
    let reading = Promise.resolve();
    using _subscription = this.#bus.subscribe(({ type, properties }) => {
      if (type !== "command.output" || !isAbout(properties, this.#command.commandID)) return;
      reading = reading.then(() => this.#grow());
    });
    await this.#command.done;
    await reading;
  }

  async end(): Promise<ShellAnswer> {
    const record = await this.#command.done;
    await this.#output.catchUp();
    this.#info.time.completed = Date.now();
    this.#tellInfo();
    const output = this.#output.text;
    const { start } = this.#part.state.time;
    this.#part.state = {
      status: "completed",
      input: { command: this.#request.command },
      output,
      title: "",
      metadata: { ...outcome(record), output, truncated: this.#output.truncated },
      time: { start, end: record.time.ended ?? Date.now() },
    };
    this.#tellPart();
    this.#status("idle");
    this.#tell("session.idle", { sessionID: this.#info.sessionID });
    return { info: this.#info, parts: [this.#part] };
  }

  async #grow(): Promise<void> {
    await this.#output.catchUp();
    this.#part.state.metadata = { ...this.#part.state.metadata, output: this.#output.preview };
    this.#tellPart();
  }

  #status(type: "busy" | "idle"): void {
    this.#tell("session.status", { sessionID: this.#info.sessionID, status: { type } });
  }

  #tellInfo(): void {
    this.#tell("message.updated", { sessionID: this.#info.sessionID, info: structuredClone(this.#info) });
  }

  #tellPart(): void {
    const part = structuredClone(this.#part);
    this.#tell("message.part.updated", { sessionID: this.#info.sessionID, part, time: Date.now() });
  }

  #tell(type: string, properties: unknown): void {
    this.#bus.publish({ type, properties, workspaceID: this.#place.workspace.id });
  }
}

function outcome({
  exit,
  signal,
  state,
  timedOut,
  aborted,
  commandID,
  enforcement,
  pending,
}: CommandRecord): Record<string, unknown> {
  return { exit, signal, state, timedOut, aborted, commandID, enforcement, pending };
}

function modelOf(model: unknown): { modelID: string; providerID: string } {
  const { modelID, providerID } = (model ?? {}) as { modelID?: unknown; providerID?: unknown };
  return {
    modelID: typeof modelID === "string" ? modelID : "none",
    providerID: typeof providerID === "string" ? providerID : "opencode-remote-ssh",
  };
}

function isAbout(properties: unknown, commandID: string): boolean {
  return (
    typeof properties === "object" &&
    properties !== null &&
    (properties as { commandID?: unknown }).commandID === commandID
  );
}
