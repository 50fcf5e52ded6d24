// The runner of SSH hosts. Knows hosts by name only; how one is reached is given to it (plugin/compose.ts).
import { Check } from "typebox/value";
import { RemoteError } from "../../../protocol/errors.js";
import { WorkspaceID } from "../../../protocol/ids.js";
import type { RunnerCapabilities, RunnerDestination, RunnerProvider, RunnerSessionOptions } from "../runner.js";
import type { OpenedHost } from "./calls.js";
import { SshRunnerSession } from "./session.js";

export const SSH_PROVIDER_ID = "ssh";

export const SSH_CAPABILITIES: RunnerCapabilities = {
  commands: true,
  cancellation: true,
  files: true,
  search: true,
  approvals: true,
  pty: true,
  vcs: true,
  ports: false,
  artifacts: false,
  snapshots: false,
  undo: true,
};

export interface SshRunnerOptions {
  /** Throws `host_unknown` and the like; opens no connection. */
  validateHost(host: string): Promise<void>;
  /** Called at the first use of a session; the client that it gives is shared by all sessions of the host. */
  open(host: string): Promise<OpenedHost>;
}

export function createSshRunner(runner: SshRunnerOptions): RunnerProvider {
  const createSession = async (destination: RunnerDestination, options: RunnerSessionOptions = {}) =>
    new SshRunnerSession({
      providerID: SSH_PROVIDER_ID,
      capabilities: SSH_CAPABILITIES,
      destination,
      options,
      open: () => runner.open(destination.host),
    });
  return {
    id: SSH_PROVIDER_ID,
    capabilities: SSH_CAPABILITIES,
    setupHint: () => null,
    async validateDestination(destination) {
      if (!Check(WorkspaceID, destination.workspaceID)) {
        throw new RemoteError("invalid_id", `${JSON.stringify(destination.workspaceID)} is no workspace id`);
      }
      await runner.validateHost(destination.host);
    },
    createSession,
    async resumeSession(state, options) {
      if (state.providerID !== SSH_PROVIDER_ID) {
        throw new RemoteError("invalid_request", `a session of the runner ${state.providerID} cannot be resumed here`);
      }
      return await createSession(state.destination, options);
    },
  };
}
