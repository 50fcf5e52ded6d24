// The runner of this machine.
import { stat } from "node:fs/promises";
import { codeOf, RemoteError } from "../../../protocol/errors.js";
import type { RunnerCapabilities, RunnerDestination, RunnerProvider, RunnerSessionOptions } from "../runner.js";
import { type LocalMachine, LocalRunnerSession } from "./session.js";

export const LOCAL_PROVIDER_ID = "local";

export const LOCAL_CAPABILITIES: RunnerCapabilities = {
  commands: true,
  cancellation: true,
  files: true,
  search: true,
  approvals: true,
  pty: false,
  vcs: false,
  ports: false,
  artifacts: false,
  snapshots: false,
  undo: true,
};

export function createLocalRunner(machine: LocalMachine): RunnerProvider {
  const capabilities = { ...LOCAL_CAPABILITIES, pty: machine.openTerminal !== undefined };
  const createSession = async (destination: RunnerDestination, options: RunnerSessionOptions = {}) =>
    new LocalRunnerSession({ providerID: LOCAL_PROVIDER_ID, destination }, capabilities, machine, options);
  return {
    id: LOCAL_PROVIDER_ID,
    capabilities,
    setupHint: () => null,
    async validateDestination({ directory }) {
      if (directory === null || directory.startsWith("~/")) return;
      const found = await stat(directory).catch((error: unknown) => {
        throw new RemoteError("config_invalid", `${directory} cannot be used here: ${codeOf(error)}`, { cause: error });
      });
      if (!found.isDirectory()) throw new RemoteError("config_invalid", `${directory} is no directory here`);
    },
    createSession,
    async resumeSession(state, options) {
      if (state.providerID !== LOCAL_PROVIDER_ID) {
        throw new RemoteError("invalid_request", `a session of the runner ${state.providerID} cannot be resumed here`);
      }
      return await createSession(state.destination, options);
    },
  };
}
