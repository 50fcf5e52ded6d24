// The requests for files and search: one call, one round trip.
import { createHash } from "node:crypto";
import { Type } from "typebox";
import { codeOf, ignoreMissing, RemoteError } from "../../protocol/errors.js";
import { BatchAnswer, type BatchRequest, FileNode, FileStat, FileView, FileWritten } from "../../protocol/file.js";
import { FindAnswer, GlobAnswer, type GlobRequest, type GrepRequest, TextMatch } from "../../protocol/search.js";
import { CHANGE_HEADER, type ChangeOf, toChangeHeader } from "../../protocol/undo.js";
import type { StubClient } from "./client.js";

/** Goes with every request that can ask. */
export interface Asking {
  workspace: string;
  onAsk: "wait" | "fail";
  /** The answered ask whose `once` this request uses. */
  permissionID?: string;
  signal?: AbortSignal;
  /** What a change belongs to: it is kept, to be reverted. */
  change?: ChangeOf;
}

export interface FileBytes {
  /** Canonical real path. */
  path: string;
  data: Uint8Array;
  /** Of the whole file, bytes. */
  size: number;
  tag: string;
}

export interface WriteOptions {
  ifMatch?: string;
  parents?: boolean;
}

type Query = Record<string, string | number | boolean | undefined>;

export class FileRequests {
  readonly #client: StubClient;

  constructor(client: StubClient) {
    this.#client = client;
  }

  async read(path: string, range: { offset?: number; length?: number }, asking: Asking): Promise<FileBytes> {
    const { headers, body } = await this.#client.send({
      method: "GET",
      path: withQuery("/file/content", { path, ...range }, asking),
      headers: { accept: "application/octet-stream" },
      ...common(asking),
    });
    const tag = headers["x-file-tag"];
    const size = Number(headers["x-file-size"]);
    if (tag === undefined || !Number.isSafeInteger(size)) {
      throw new RemoteError("internal", "GET /file/content answered without x-file-tag and x-file-size");
    }
    return { path: decodePath(headers["x-file-path"]) ?? path, data: body, size, tag };
  }

  async write(path: string, data: Uint8Array, options: WriteOptions, asking: Asking): Promise<FileWritten> {
    const { ifMatch, parents } = options;
    try {
      return await this.#client.json(FileWritten, {
        method: "PUT",
        path: withQuery("/file/content", { path, ifMatch, parents }, asking),
        body: data,
        replayable: true,
        headers: changeHeader(asking),
        ...common(asking),
      });
    } catch (error) {
      if (codeOf(error) !== "answer_lost") throw error;
    }
    // The stub ended before it had answered: the file itself says whether it had been written.
    const there = await this.stat(path, asking).catch(ignoreMissing);
    const tag = there?.tag ?? "absent";
    if (tag === tagOf(data))
      return { path: there?.path ?? path, tag, size: data.length, existed: ifMatch !== "absent" };
    if (tag === ifMatch) return await this.write(path, data, options, asking);
    throw unknownOutcome(`write ${path}`);
  }

  stat(path: string, asking: Asking): Promise<FileStat> {
    return this.#get(FileStat, "/file/stat", { path }, asking);
  }

  list(path: string, asking: Asking): Promise<FileNode[]> {
    return this.#get(Type.Array(FileNode), "/file", { path }, asking);
  }

  view(path: string, lines: { offset?: number; limit?: number }, asking: Asking): Promise<FileView> {
    return this.#get(FileView, "/file/view", { path, ...lines }, asking);
  }

  async remove(path: string, recursive: boolean | undefined, asking: Asking): Promise<void> {
    try {
      const query = withQuery("/file", { path, recursive }, asking);
      await this.#client.send({
        method: "DELETE",
        path: query,
        replayable: true,
        headers: changeHeader(asking),
        ...common(asking),
      });
    } catch (error) {
      if (codeOf(error) !== "answer_lost") throw error;
      // What is still there was not removed, or not wholly.
      if ((await this.stat(path, asking).catch(ignoreMissing)) !== undefined)
        await this.remove(path, recursive, asking);
    }
  }

  async move(
    body: { from: string; to: string; overwrite?: boolean; parents?: boolean },
    asking: Asking,
  ): Promise<void> {
    const path = withQuery("/file/move", {}, asking);
    const headers = changeHeader(asking);
    await this.#client.send({ method: "POST", path, body, replayable: true, headers, ...common(asking) });
  }

  async mkdir(body: { path: string; parents?: boolean }, asking: Asking): Promise<void> {
    const path = withQuery("/file/mkdir", {}, asking);
    await this.#client.send({ method: "POST", path, body, replayable: true, ...common(asking) });
  }

  batch(body: BatchRequest, asking: Pick<Asking, "workspace" | "signal" | "change">): Promise<BatchAnswer> {
    const changes = body.steps.some(({ op }) => op === "write" || op === "remove" || op === "move");
    const again = changes ? { replayable: true } : { idempotent: true };
    const headers = { "accept-encoding": "gzip", ...(changes ? changeHeader(asking) : {}) };
    const request = { method: "POST" as const, path: "/file/batch", headers, body, ...again, ...common(asking) };
    return this.#client.json(BatchAnswer, request);
  }

  grep(body: GrepRequest, asking: Asking): Promise<FindAnswer> {
    return this.#search(FindAnswer, "/grep", body, asking);
  }

  glob(body: GlobRequest, asking: Asking): Promise<GlobAnswer> {
    return this.#search(GlobAnswer, "/glob", body, asking);
  }

  findText(pattern: string, limit: number | undefined, asking: Asking): Promise<TextMatch[]> {
    return this.#get(Type.Array(TextMatch), "/find", { pattern, limit }, asking);
  }

  /** Looks only into what is approved: asks nothing. */
  findFiles(
    query: string,
    options: { type?: "file" | "directory" | undefined; limit?: number | undefined },
    { workspace, signal }: Pick<Asking, "workspace" | "signal">,
  ): Promise<string[]> {
    const { type, limit } = options;
    const search = new URLSearchParams({ query });
    if (type !== undefined) search.set("type", type);
    if (limit !== undefined) search.set("limit", String(limit));
    const path = `/find/file?${search}`;
    return this.#client.json(Type.Array(Type.String()), { method: "GET", path, workspace, signal });
  }

  #search<T extends Parameters<StubClient["json"]>[0]>(schema: T, path: string, query: object, asking: Asking) {
    const { onAsk, permissionID } = asking;
    const body = permissionID === undefined ? { ...query, onAsk } : { ...query, onAsk, permissionID };
    return this.#client.json(schema, { method: "POST", path, body, idempotent: true, ...common(asking) });
  }

  #get<T extends Parameters<StubClient["json"]>[0]>(schema: T, path: string, query: Query, asking: Asking) {
    return this.#client.json(schema, { method: "GET", path: withQuery(path, query, asking), ...common(asking) });
  }
}

/** As the stub makes it for files of up to 16 MiB (docs/protocol.md). */
function tagOf(data: Uint8Array): string {
  return `h${createHash("sha256").update(data).digest("base64url")}`;
}

function unknownOutcome(what: string): RemoteError {
  return new RemoteError("answer_lost", `the stub ended before it had answered: ${what} may have been done or not`);
}

function changeHeader({ change }: Pick<Asking, "change">): Record<string, string> {
  const header = change === undefined ? undefined : toChangeHeader(change);
  return header === undefined ? {} : { [CHANGE_HEADER]: header };
}

function common(asking: Pick<Asking, "workspace" | "signal">) {
  return { workspace: asking.workspace, signal: asking.signal };
}

function withQuery(path: string, query: Query, asking: Asking): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value));
  search.set("onAsk", asking.onAsk);
  if (asking.permissionID !== undefined) search.set("permissionID", asking.permissionID);
  return `${path}?${search}`;
}

function decodePath(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  try {
    return decodeURIComponent(header);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}
