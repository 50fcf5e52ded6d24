// The requests that put back what file requests changed, and make it again.
import { Type } from "typebox";
import { codeOf } from "../../protocol/errors.js";
import { type ForgetQuery, RevertAnswer, type RevertRequest } from "../../protocol/undo.js";
import type { StubClient } from "./client.js";

export class UndoRequests {
  readonly #client: StubClient;

  constructor(client: StubClient) {
    this.#client = client;
  }

  /** `point` null: all of it again. A session that the host does not know has nothing to put back. */
  async reach(sessionID: string, point: RevertRequest | null, signal?: AbortSignal): Promise<RevertAnswer> {
    const path = `/session/${sessionID}/${point === null ? "unrevert" : "revert"}`;
    const request = { method: "POST" as const, path, body: point ?? undefined, replayable: true, signal };
    try {
      return await this.#client.json(RevertAnswer, request);
    } catch (error) {
      if (codeOf(error) === "session_unknown") return { changed: [], left: [] };
      // Done by another stub, or half done: the same once more finishes it.
      if (codeOf(error) === "answer_lost") return await this.#client.json(RevertAnswer, request);
      throw error;
    }
  }

  async forget(sessionID: string, { all, reverted, messageIDs }: ForgetQuery, signal?: AbortSignal): Promise<void> {
    const search = new URLSearchParams();
    if (all) search.set("all", "true");
    if (reverted) search.set("reverted", "true");
    if (messageIDs) search.set("messageIDs", messageIDs);
    const path = `/session/${sessionID}/revert?${search}`;
    try {
      await this.#client.json(Type.Literal(true), { method: "DELETE", path, idempotent: true, signal });
    } catch (error) {
      if (codeOf(error) !== "session_unknown") throw error;
    }
  }
}
