// Version control of the workspace's directory, as the host's git tells it.
import { type TSchema, Type } from "typebox";
import { VcsFileDiff, VcsFileStatus, VcsInfo, type VcsMode } from "../../protocol/vcs.js";
import type { StubClient } from "./client.js";
import type { Asking } from "./files.js";

export class VcsRequests {
  readonly #client: StubClient;

  constructor(client: StubClient) {
    this.#client = client;
  }

  info(asking: Asking): Promise<VcsInfo> {
    return this.#get(VcsInfo, "/vcs", {}, asking);
  }

  status(asking: Asking): Promise<VcsFileStatus[]> {
    return this.#get(Type.Array(VcsFileStatus), "/vcs/status", {}, asking);
  }

  diff(mode: VcsMode, context: number | undefined, asking: Asking): Promise<VcsFileDiff[]> {
    const query: Record<string, string> = context === undefined ? { mode } : { mode, context: String(context) };
    return this.#get(Type.Array(VcsFileDiff), "/vcs/diff", query, asking);
  }

  async raw(asking: Asking): Promise<string> {
    const { body } = await this.#client.send(request("/vcs/diff/raw", {}, asking));
    return Buffer.from(body).toString("utf8");
  }

  #get<T extends TSchema>(schema: T, path: string, query: Record<string, string>, asking: Asking) {
    return this.#client.json(schema, request(path, query, asking));
  }
}

function request(path: string, query: Record<string, string>, { workspace, onAsk, permissionID, signal }: Asking) {
  const search = new URLSearchParams({ ...query, onAsk, ...(permissionID === undefined ? {} : { permissionID }) });
  return { method: "GET" as const, path: `${path}?${search}`, workspace, signal };
}
