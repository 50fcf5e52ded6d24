// Everybody who reads a command's output as it comes. One that has gone takes itself away.
import type { ServerResponse } from "node:http";
import type { CommandRecord } from "../../protocol/command.js";
import type { RemoteError } from "../../protocol/errors.js";
import type { Ask, AskOver } from "../../protocol/permission.js";
import { Follow, type Followed } from "./follow.js";
import type { OutputOffsets } from "./types.js";

export class Followers {
  readonly #all = new Set<Follow>();

  get size(): number {
    return this.#all.size;
  }

  add(response: ServerResponse, command: Followed, from: OutputOffsets): Follow {
    const follow = new Follow(response, command, from, (gone) => this.#all.delete(gone));
    this.#all.add(follow);
    return follow;
  }

  open(): void {
    for (const follow of this.#all) follow.open();
  }

  output(stream: 0 | 1, offset: number, data: Uint8Array): void {
    for (const follow of this.#all) follow.output(stream, offset, data);
  }

  ask(ask: Ask): void {
    for (const follow of this.#all) follow.ask(ask);
  }

  askOver(over: AskOver): void {
    for (const follow of this.#all) follow.askOver(over);
  }

  grew(stream: 0 | 1, end: number): void {
    for (const follow of this.#all) follow.grew(stream, end);
  }

  end(record: CommandRecord): void {
    for (const follow of this.#all) follow.end(record);
  }

  fail(error: RemoteError): void {
    for (const follow of this.#all) follow.fail(error);
  }
}
