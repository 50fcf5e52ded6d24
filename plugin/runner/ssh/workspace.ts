// The workspace of a session on the stub: assumed to be there, made when the stub says that it is not.
import { codeOf } from "../../../protocol/errors.js";
import type { StubClient } from "../../stub-client/client.js";
import type { RunnerDestination } from "../runner.js";

export class SessionWorkspace {
  readonly #client: StubClient;
  readonly #destination: RunnerDestination;
  #creating: Promise<void> | undefined;

  constructor(client: StubClient, destination: RunnerDestination) {
    this.#client = client;
    this.#destination = destination;
  }

  get id(): string {
    return this.#destination.workspaceID;
  }

  /** `attempt` as if the workspace were there, which a warm session's is; else one round trip more, once. */
  async within<T>(attempt: () => Promise<T>): Promise<T> {
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

  async #create(): Promise<void> {
    const { host, directory, readRoots, workspaceID, name } = this.#destination;
    try {
      await this.#client.createWorkspace({
        id: workspaceID,
        type: `ssh:${host}`,
        name: name ?? host,
        ...(directory === null ? {} : { directory }),
        ...(directory === null || readRoots === undefined || readRoots.length === 0 ? {} : { readRoots }),
      });
    } catch (error) {
      // Another process of this installation was faster.
      if (codeOf(error) !== "workspace_exists") throw error;
    }
  }
}
