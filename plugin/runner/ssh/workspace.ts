// The workspace of a session on the stub: assumed to be there, made when the stub says that it is not; told what is wanted of it
// where that is not what it was told last.
import { codeOf } from "../../../protocol/errors.js";
import type { StubClient } from "../../stub-client/client.js";
import type { RunnerDestination } from "../runner.js";
import { sameWish, USUAL_WISH, type Wish, type Wishes } from "./wishes.js";

export interface SessionWorkspaceOptions {
  destination: RunnerDestination;
  wish: Wish;
  wishes: Wishes;
}

export class SessionWorkspace {
  readonly #client: StubClient;
  readonly #options: SessionWorkspaceOptions;
  #creating: Promise<void> | undefined;
  #agreeing: Promise<void> | undefined;
  #agreed = false;

  constructor(client: StubClient, options: SessionWorkspaceOptions) {
    this.#client = client;
    this.#options = options;
  }

  get id(): string {
    return this.#options.destination.workspaceID;
  }

  /** `attempt` as if the workspace were there, which a warm session's is; else one round trip more, once. */
  async within<T>(attempt: () => Promise<T>): Promise<T> {
    if (!this.#agreed) await this.#agree();
    try {
      return await attempt();
    } catch (error) {
      if (codeOf(error) !== "workspace_unknown") throw error;
    }
    this.#creating ??= this.#create().finally(() => {
      this.#creating = undefined;
    });
    await this.#creating;
    return await attempt();
  }

  /** Before anything runs there: never less than what is wanted now. */
  #agree(): Promise<void> {
    this.#agreeing ??= this.#tell()
      .then(() => {
        this.#agreed = true;
      })
      .finally(() => {
        this.#agreeing = undefined;
      });
    return this.#agreeing;
  }

  async #tell(): Promise<void> {
    const { wish, wishes } = this.#options;
    const told = (await wishes.told(this.id)) ?? USUAL_WISH;
    if (!sameWish(told, wish)) await this.#change();
  }

  async #change(): Promise<void> {
    const { wish, wishes } = this.#options;
    try {
      await this.#client.changeWorkspace(this.id, wish);
      await wishes.remember(this.id, wish);
    } catch (error) {
      // It is made with it.
      if (codeOf(error) !== "workspace_unknown") throw error;
    }
  }

  async #create(): Promise<void> {
    const { destination, wish, wishes } = this.#options;
    const { host, directory, readRoots, workspaceID, name } = destination;
    try {
      await this.#client.createWorkspace({
        id: workspaceID,
        type: `ssh:${host}`,
        name: name ?? host,
        ...wish,
        ...(directory === null ? {} : { directory }),
        ...(directory === null || readRoots === undefined || readRoots.length === 0 ? {} : { readRoots }),
      });
      await wishes.remember(workspaceID, wish);
    } catch (error) {
      // Another process of this installation was faster.
      if (codeOf(error) !== "workspace_exists") throw error;
      await this.#change();
    }
  }
}
