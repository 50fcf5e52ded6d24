// bash: a command of the model runs on the host. Output comes live; the answer is the end of it, as with the built-in.
import { tool } from "@opencode-ai/plugin/tool";
import { RemoteError } from "../../../protocol/errors.js";
import { newID } from "../../../protocol/ids.js";
import { explanations, mayRunAgain, runAgainText } from "../../runner/explanations.js";
import type { CommandResult } from "../../runner/runner.js";
import { commandPatterns } from "../command-patterns.js";
import { isUnreachable } from "../failure.js";
import type { CallContext, ToolDefinition } from "../opencode-types.js";
import { OutputTail, shorten } from "../output-tail.js";
import { resolveRemote } from "../remote-path.js";
import { tailOf } from "../truncate.js";
import { bashDescription } from "./descriptions.js";
import { type Call, type ToolHost, withCall } from "./tool-host.js";

interface BashArguments {
  command: string;
  timeout?: number;
  workdir?: string;
  unconfined?: boolean;
}

export function createBashTool(host: ToolHost): ToolDefinition {
  const schema = tool.schema;
  return tool({
    description: bashDescription(host.limits()),
    args: {
      command: schema.string().describe("The command to execute"),
      timeout: schema.number().int().positive().optional().describe("Optional timeout in milliseconds"),
      workdir: schema
        .string()
        .optional()
        .describe(
          "The working directory to run the command in. Defaults to the current directory. Use this instead of 'cd' commands.",
        ),
      unconfined: schema
        .boolean()
        .optional()
        .describe(
          "Run this one command without the confinement to approved paths. Only for a command that needs sudo or another setuid program, or that was refused what it cannot do without; the user is asked each time.",
        ),
    },
    execute: (args, context: CallContext) =>
      withCall(host, context, async (call) => {
        const { patterns, always } = commandPatterns(args.command);
        if (patterns.length > 0) {
          await context.ask({ permission: "bash", patterns, always, metadata: { command: args.command } });
        }
        return await runOnHost(host, call, args);
      }),
  });
}

async function runOnHost(host: ToolHost, call: Call, args: BashArguments) {
  const { session, at, context, options, aborted, lost } = call;
  const limits = host.limits();
  const timeoutMs = args.timeout ?? limits.timeoutMs;
  const commandID = newID("cmd");
  const tail = new OutputTail(limits.maxBytes * 2);
  const live = host.live(context);
  const saved = host.saved.open(commandID);
  let early: string | undefined = "";
  let result: CommandResult;
  const show = () => live.show(withNotice(tail.preview(), host.connection.notice));
  const watch = host.connection.onChange(show);
  const { sessionID } = context;
  const away = host.away.look(session, sessionID);
  const inFlight = host.journal.begin({ commandID, sessionID, host: host.name, title: args.command });
  call.committed();
  try {
    result = await session.runCommand({
      ...options,
      signal: aborted,
      detach: lost,
      commandID,
      command: args.command,
      cwd: args.workdir === undefined ? at.directory : resolveRemote(args.workdir, at),
      timeoutMs,
      ...(args.unconfined ? { unconfined: true } : {}),
      onOutput: async ({ stream, data }) => {
        const text = tail.add(stream, data);
        show();
        if (early === undefined) return await saved.write(text);
        early += text;
        if (Buffer.byteLength(early) <= limits.maxBytes) return;
        const beginning = early;
        early = undefined;
        await saved.write(beginning);
      },
    });
  } catch (error) {
    await (mayRun(error) ? inFlight.leave() : inFlight.end());
    if (error !== lost.reason || aborted.aborted) throw error;
    throw new RemoteError("host_unreachable", `${(error as Error).message}; ${commandID} may still run there`);
  } finally {
    watch[Symbol.dispose]();
    await live.end();
  }
  const rest = tail.end();
  if (early === undefined) await saved.write(rest);
  const whole = tail.text();
  const shown = tailOf(whole, limits.maxLines, limits.maxBytes);
  const truncated = shown.cut || tail.dropped;
  if (truncated && early !== undefined) await saved.write(whole);
  const outputPath = truncated ? await saved.end() : undefined;
  const where = outputPath
    ? `Full output saved to: ${outputPath} (for Read and Grep only)`
    : "The beginning was dropped.";
  const body = truncated ? `...output truncated...\n\n${where}\n\n${shown.text}` : shown.text || "(no output)";
  const notes = [
    ...notesOf(result, timeoutMs, host.name),
    ...(await blockedNotes(call, result)),
    ...(await host.enforcement.of(sessionID, result.enforcement, args.unconfined === true)),
    ...(await away.notes()),
  ];
  await (result.cancelUnconfirmed ? inFlight.leave() : inFlight.end());
  const metadata = notes.length > 0 ? `\n\n<shell_metadata>\n${notes.join("\n")}\n</shell_metadata>` : "";
  return {
    title: args.command,
    output: body + metadata,
    metadata: {
      output: tail.preview() || shorten(body),
      exit: result.exit,
      truncated,
      host: host.name,
      commandID,
      enforcement: result.enforcement.level,
      ...(outputPath ? { outputPath } : {}),
    },
  };
}

/** What could only be asked for when it had ended. A rejection is said, and ends nothing: the command has run. */
async function blockedNotes({ session, options }: Call, result: CommandResult): Promise<string[]> {
  if (!mayRunAgain(result)) return [];
  try {
    const paths = await session.askForBlocked(result.commandID, options);
    return paths.length === 0 ? [] : [runAgainText(paths)];
  } catch (error) {
    if (!(error instanceof RemoteError)) throw error;
    if (error.code === "permission_rejected") return [`the user rejected it: ${error.message}`];
    return [`it could not be asked for (${error.code}): ${error.message}`];
  }
}

/** Whether the host may have the command although no answer came: then its story is told later. */
function mayRun(error: unknown): boolean {
  return (
    isUnreachable(error) || (error instanceof RemoteError && error.code === "aborted" && error.details !== undefined)
  );
}

/** While it runs only: the answer is made of the output alone. */
function withNotice(output: string, notice: string | undefined): string {
  if (notice === undefined) return output;
  return output === "" || output.endsWith("\n") ? `${output}${notice}` : `${output}\n${notice}`;
}

function notesOf(result: CommandResult, timeoutMs: number, host: string): string[] {
  const notes: string[] = [];
  if (result.timedOut) {
    notes.push(
      `shell tool terminated command after exceeding timeout ${timeoutMs} ms. If this command is expected to take longer and is not waiting for interactive input, retry with a larger timeout value in milliseconds.`,
    );
  } else if (result.aborted) notes.push("User aborted the command");
  if (result.cancelUnconfirmed) {
    notes.push(
      `The connection to ${host} is lost: the command may still be running on ${host} (${result.commandID}); it is ended there as soon as the connection is back`,
    );
  }
  if (result.state === "lost") notes.push(`The command's record on ${host} was lost; whether it finished is not known`);
  else if (result.signal && !result.timedOut && !result.aborted) {
    notes.push(`The command was ended by ${result.signal}`);
  }
  if (result.missedBytes > 0) {
    notes.push(
      `${result.missedBytes} bytes in the middle of its output were dropped on ${host}: more than the log there keeps`,
    );
  }
  notes.push(...explanations(result));
  if (result.pending > 0) notes.push(`${result.pending} of its processes still run on ${host}`);
  if (result.survivors?.length) notes.push(`could not be ended on ${host}: pid ${result.survivors.join(", ")}`);
  return notes;
}
