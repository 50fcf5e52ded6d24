// Commands as the rest of the stub sees them: every start is in the audit log before it happens, every end after it.
import { rm } from "node:fs/promises";
import type { AuditLine } from "../protocol/audit.js";
import type { CommandRecord } from "../protocol/command.js";
import { codeOf, type RemoteError } from "../protocol/errors.js";
import type { Admission, Admitted } from "./admission.js";
import type { ListQuery } from "./commands/listing.js";
import type { Command, CommandFilter, CommandService, CommandSpec } from "./commands/types.js";
import type { AuditLog } from "./state/audit.js";
import type { StoreLog } from "./state/store.js";

export class ObservedCommands implements CommandService {
  readonly #inner: CommandService;
  readonly #audit: AuditLog;
  readonly #log: StoreLog;
  #admission: Admission | undefined;
  readonly #observed = new WeakSet<Command>();

  /** Those whose end is not in the audit log yet. */
  readonly #open = new Set<Command>();
  /** Those that another stub may be taking over, and whether it has. */
  #handed: { commands: Set<Command>; isOver(): Promise<boolean> } | undefined;

  /** Commands that an earlier stub started are observed, too; `inherited` also where they have ended meanwhile. */
  constructor(inner: CommandService, audit: AuditLog, log: StoreLog, inherited: string[] = []) {
    this.#inner = inner;
    this.#audit = audit;
    this.#log = log;
    for (const id of inherited) {
      const command = inner.get(id);
      if (command !== undefined) void this.#observe(command, idsOf(command), undefined, undefined);
    }
    void inner.adopted.then(() => {
      for (const command of inner.list()) {
        if (!command.isSettled && !this.#observed.has(command))
          void this.#observe(command, idsOf(command), undefined, undefined);
      }
    });
  }

  admittedBy(admission: Admission): void {
    this.#admission = admission;
  }

  /** The ends of these commands are another stub's to record, once it has taken over. */
  handOver(isOver: () => Promise<boolean>): string[] {
    this.#handed = { commands: new Set(this.#open), isOver };
    return [...this.#open].map(({ commandID }) => commandID);
  }

  start(spec: CommandSpec): Command {
    const admitted = this.#admission?.take(spec.commandID);
    if (this.#inner.has(spec.commandID)) {
      admitted?.lent?.[Symbol.dispose]();
      return this.#inner.start(spec);
    }
    const { commandID, sessionID, workspaceID, argv, command: text, cwd } = spec;
    const ids = { approver: admitted?.approver, workspaceID, sessionID, commandID };
    this.#audit.write({ event: "command", ...ids, command: argv ?? text, cwd, decision: admitted?.decision });
    try {
      const command = this.#inner.start(spec);
      void this.#observe(command, ids, admitted, spec.tmpdir);
      return command;
    } catch (error) {
      this.#failed(error as RemoteError, ids);
      void this.#giveBack(admitted, spec.tmpdir);
      throw error;
    }
  }

  get adopted(): Promise<void> {
    return this.#inner.adopted;
  }

  has(commandID: string): boolean {
    return this.#inner.has(commandID);
  }

  get(commandID: string): Command | undefined {
    return this.#inner.get(commandID);
  }

  list(filter?: CommandFilter): Command[] {
    return this.#inner.list(filter);
  }

  page(query: ListQuery): Promise<CommandRecord[]> {
    return this.#inner.page(query);
  }

  running(filter?: CommandFilter): number {
    return this.#inner.running(filter);
  }

  loginEnvironment(signal?: AbortSignal): Promise<Record<string, string>> {
    return this.#inner.loginEnvironment(signal);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  async #observe(
    command: Command,
    ids: Ids,
    admitted: Admitted | undefined,
    tmpdir: string | undefined,
  ): Promise<void> {
    try {
      this.#observed.add(command);
      this.#open.add(command);
      await command.started;
    } catch (error) {
      this.#open.delete(command);
      this.#failed(error as RemoteError, ids);
      await this.#giveBack(admitted, tmpdir);
      return;
    }
    const { exit, signal, state } = await command.done;
    const handed = this.#handed;
    if (handed?.commands.has(command) && (await handed.isOver())) return;
    this.#open.delete(command);
    this.#ended({ ...ids, exit, signal, state });
    await command.settled;
    // The helper removes the directory.
    admitted?.lent?.[Symbol.dispose]();
  }

  #failed(error: unknown, ids: Ids): void {
    this.#ended({ ...ids, state: codeOf(error) ?? "failed" });
  }

  /** What has ended cannot be refused any more: where the audit log takes nothing (a full disk), the stub's log has it. */
  #ended(line: Omit<AuditLine, "event">): void {
    try {
      this.#audit.write({ event: "exit", ...line });
    } catch (error) {
      this.#log.warn({ err: error, ...line }, "an end is missing in the audit log");
    }
  }

  async #giveBack(admitted: Admitted | undefined, tmpdir: string | undefined): Promise<void> {
    admitted?.lent?.[Symbol.dispose]();
    if (tmpdir === undefined) return;
    await rm(tmpdir, { recursive: true, force: true }).catch((error: unknown) => {
      this.#log.warn({ err: error, path: tmpdir }, "a temporary directory stays; the next start removes it");
    });
  }
}

type Ids = Pick<AuditLine, "approver" | "workspaceID" | "sessionID" | "commandID">;

function idsOf(command: Command): Ids {
  const { workspaceID, sessionID, commandID } = command.record();
  return { workspaceID, sessionID, commandID };
}
