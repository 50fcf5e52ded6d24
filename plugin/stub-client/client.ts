// The typed HTTP client of one stub: every request of the laptop goes through `send` or `stream`.
// Adds the token and the approver's secret, mends what can be mended (a stale token, an expired secret, a broken stream), once each.

import { type Static, type TSchema, Type } from "typebox";
import type { WebSocket } from "ws";
import { type AuditQuery, LoggedLine } from "../../protocol/audit.js";
import { BlockedAnswer, type BlockedRequest, type CommandListQuery, CommandRecord } from "../../protocol/command.js";
import { codeOf, RemoteError } from "../../protocol/errors.js";
import { Health } from "../../protocol/health.js";
import type { PermissionReply } from "../../protocol/permission.js";
import { Ask } from "../../protocol/permission.js";
import { REQUEST_ID_HEADER, REQUEST_RETRY_HEADER } from "../../protocol/request-id.js";
import type { WorkspaceChange, WorkspaceCreate } from "../../protocol/workspace.js";
import { Approval, Workspace, WorkspaceContext } from "../../protocol/workspace.js";
import type { HttpHead } from "../http/head.js";
import type { StubIdentity, StubLink } from "../tunnel/link.js";
import { pause } from "../waiting/abort.js";
import { Approver, type ApproverKey } from "./approver.js";
import { asRemoteError, isBroken } from "./broken.js";
import type { Flow, HttpRequest, Receiver } from "./exchange.js";
import { hasShape } from "./shape.js";
import { StreamPool } from "./stream-pool.js";
import { unzip } from "./unzip.js";
import { upgradeToWebSocket } from "./web-socket.js";

export interface StubRequest {
  method: HttpRequest["method"];
  path: string;
  /** An object is sent as JSON, bytes as they are. */
  body?: object | Uint8Array;
  /** Sent as x-workspace. */
  workspace?: string;
  headers?: Record<string, string>;
  /** Gets the approver's secret where there is none yet; without it the secret goes along when it is at hand. */
  approver?: boolean;
  /** Sent again when the stream breaks under it. Default: GET only. */
  idempotent?: boolean;
  /** A change: sent again as well, under an id by which the stub knows that it has done it. Throws `answer_lost` where it cannot know. */
  replayable?: boolean;
  signal?: AbortSignal;
}

export interface StubAnswer extends HttpHead {
  body: Uint8Array;
}

export interface StreamReceiver {
  /** Until here nothing of the request has left. */
  sent?(): void;
  /** Only for answers below 400; the others reject with their RemoteError. */
  head?(head: HttpHead): void;
  data(chunk: Uint8Array, flow: Flow): void;
}

/** Milliseconds before a broken request is sent again; as many tries as there are entries. */
const RETRY_DELAYS = [0, 100, 500];
/** An error body is cut here, in bytes. */
const ERROR_BODY_LIMIT = 1024 * 1024;

export class StubClient {
  readonly link: StubLink;
  readonly approver: Approver;
  readonly #pool: StreamPool;
  /** Errors of opening a stream: nothing was sent. */
  readonly #unsent = new WeakSet<object>();

  constructor(link: StubLink, key: ApproverKey) {
    this.link = link;
    this.#pool = new StreamPool(() => this.#open());
    this.approver = new Approver(key, {
      clock: async (signal) => {
        const { headers, body } = await this.send({ method: "GET", path: "/global/health", signal });
        const health = parse(Health, body, "/global/health");
        const date = Date.parse(headers.date ?? "");
        return { time: Number.isNaN(date) ? Date.now() : date, instanceID: health.stub.instanceID };
      },
      exchange: (request, signal) =>
        this.json(Type.Unknown(), { method: "POST", path: "/approver", body: request, replayable: true, signal }),
      register: (keyID, publicKey, signal) => link.registerApprover(keyID, publicKey, signal),
    });
  }

  health(signal?: AbortSignal): Promise<Health> {
    return this.json(Health, { method: "GET", path: "/global/health", signal });
  }

  workspaces(signal?: AbortSignal): Promise<Workspace[]> {
    return this.json(Type.Array(Workspace), { method: "GET", path: "/experimental/workspace", signal });
  }

  createWorkspace(body: WorkspaceCreate, signal?: AbortSignal): Promise<Workspace> {
    const path = "/experimental/workspace";
    return this.json(Workspace, { method: "POST", path, body, approver: true, replayable: true, signal });
  }

  changeWorkspace(id: string, body: WorkspaceChange, signal?: AbortSignal): Promise<Workspace> {
    const path = `/experimental/workspace/${id}`;
    return this.json(Workspace, { method: "PATCH", path, body, approver: true, replayable: true, signal });
  }

  workspaceContext(id: string, signal?: AbortSignal): Promise<WorkspaceContext> {
    return this.json(WorkspaceContext, { method: "GET", path: `/experimental/workspace/${id}/context`, signal });
  }

  deleteWorkspace(id: string, signal?: AbortSignal): Promise<Workspace> {
    const path = `/experimental/workspace/${id}`;
    return this.json(Workspace, { method: "DELETE", path, approver: true, replayable: true, signal });
  }

  approvals(id: string, signal?: AbortSignal): Promise<Approval[]> {
    const path = `/experimental/workspace/${id}/approval`;
    return this.json(Type.Array(Approval), { method: "GET", path, approver: true, signal });
  }

  /** Takes an approval back. Throws `permission_unknown`. */
  async revoke(id: string, permissionID: string, signal?: AbortSignal): Promise<void> {
    const path = `/experimental/workspace/${id}/approval/${permissionID}`;
    await this.send({ method: "DELETE", path, approver: true, replayable: true, signal });
  }

  /** Lines of another shape (of a newer stub) are left out. */
  async audit({ limit, since }: AuditQuery, signal?: AbortSignal): Promise<LoggedLine[]> {
    const search = new URLSearchParams();
    if (limit !== undefined) search.set("limit", String(limit));
    if (since !== undefined) search.set("since", String(since));
    const { body } = await this.send({ method: "GET", path: `/audit?${search}`, signal });
    const lines = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("utf8").split("\n");
    return lines.map((line) => parseJson(Buffer.from(line))).filter((line) => hasShape(LoggedLine, line));
  }

  asks(signal?: AbortSignal): Promise<Ask[]> {
    return this.json(Type.Array(Ask), { method: "GET", path: "/permission", signal });
  }

  /** Done once only: a second reply is `permission_replied`. */
  async reply(permissionID: string, reply: PermissionReply, signal?: AbortSignal): Promise<void> {
    const path = `/permission/${permissionID}/reply`;
    await this.send({ method: "POST", path, body: reply, approver: true, replayable: true, signal });
  }

  /** Newest first, of all workspaces that this installation may see. */
  commands(filter: CommandListQuery, signal?: AbortSignal): Promise<CommandRecord[]> {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(filter)) search.set(name, String(value));
    return this.json(Type.Array(CommandRecord), { method: "GET", path: `/command?${search}`, signal });
  }

  command(commandID: string, signal?: AbortSignal): Promise<CommandRecord> {
    return this.json(CommandRecord, { method: "GET", path: `/command/${commandID}`, signal });
  }

  /** Idempotent. Answers at once; the record's `survivors` stay null until the kill is confirmed. */
  cancel(commandID: string, signal?: AbortSignal): Promise<CommandRecord> {
    const path = `/command/${commandID}/cancel`;
    return this.json(CommandRecord, { method: "POST", path, idempotent: true, signal });
  }

  /** Throws `permission_required`, `permission_rejected`. */
  askForBlocked(commandID: string, body: BlockedRequest, signal?: AbortSignal): Promise<BlockedAnswer> {
    const path = `/command/${commandID}/blocked`;
    return this.json(BlockedAnswer, { method: "POST", path, body, approver: true, replayable: true, signal });
  }

  /** Ends the approver's secret on the stub; a failure is of no consequence, it dies by itself. */
  async endApprover(signal?: AbortSignal): Promise<void> {
    const secret = this.approver.current;
    if (secret === undefined) return;
    await this.send({ method: "DELETE", path: "/approver", signal });
    this.approver.forget(secret);
  }

  /** A JSON answer, checked against its schema. */
  async json<T extends TSchema>(schema: T, request: StubRequest): Promise<Static<T>> {
    const { body } = await this.send(request);
    return parse(schema, body, request.path);
  }

  /** The whole answer in memory. */
  async send(request: StubRequest): Promise<StubAnswer> {
    let head: HttpHead = { status: 0, headers: {} };
    let chunks: Uint8Array[] = [];
    await this.#perform(request, {
      restart: () => {
        chunks = [];
      },
      head: (seen) => {
        head = seen;
      },
      data: (chunk) => {
        chunks.push(chunk);
      },
    });
    const body = chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks);
    return { ...head, body: head.headers["content-encoding"] === "gzip" ? await unzip(body) : body };
  }

  /** The answer as it comes. Rejects when the stream breaks: whoever reads a stream knows where to resume it. */
  async stream(request: StubRequest, receiver: StreamReceiver): Promise<void> {
    await this.#perform({ ...request, idempotent: false }, receiver);
  }

  /** A WebSocket on a stream of its own, open. Rejects with what the stub refuses; nothing is mended here. */
  async webSocket(path: string, workspace: string, signal: AbortSignal): Promise<WebSocket> {
    const identity = await this.link.ready(signal);
    const { headers } = wire({ method: "GET", path, workspace }, identity.token, this.approver.current);
    return await upgradeToWebSocket(await this.#open(), path, headers, signal);
  }

  /** Ends the streams; the link stays. Idempotent. */
  async close(): Promise<void> {
    this.#pool.destroy();
  }

  async #perform(request: StubRequest, receiver: StreamReceiver & { restart?(): void }): Promise<void> {
    const { signal } = request;
    const idempotent = request.idempotent ?? request.method === "GET";
    let refreshed = false;
    let renewed = false;
    let replay: Record<string, string> | undefined;
    for (let tries = 0; ; ) {
      const identity = await this.link.ready(signal);
      if (request.replayable) replay ??= { [REQUEST_ID_HEADER]: newRequestID(identity.instanceID) };
      const secret = request.approver ? await this.approver.secret(signal) : this.approver.current;
      try {
        receiver.restart?.();
        return await this.#once(
          replay === undefined ? request : withHeaders(request, replay),
          identity,
          secret,
          receiver,
        );
      } catch (error) {
        const code = codeOf(error);
        const unsent = typeof error === "object" && error !== null && this.#unsent.has(error);
        if (code === "unauthorized" && !refreshed) {
          refreshed = true;
          await this.link.refresh(signal);
        } else if ((code === "approver_expired" || code === "approver_required") && secret !== undefined && !renewed) {
          renewed = true;
          this.approver.forget(secret);
          await this.approver.secret(signal);
        } else if (code === "stub_draining" && tries < RETRY_DELAYS.length) {
          // Refused before anything was done: another stub has taken over, and new streams lead to it.
          this.#pool.dropIdle();
          await this.link.refresh(signal);
          tries += 1;
        } else if (isBroken(error) && (idempotent || unsent || replay !== undefined) && tries < RETRY_DELAYS.length) {
          if (replay !== undefined && !unsent) replay[REQUEST_RETRY_HEADER] = "1";
          await pause(RETRY_DELAYS[tries] ?? 0, signal);
          tries += 1;
        } else {
          throw asRemoteError(error, this.link.host);
        }
      }
    }
  }

  async #once(
    request: StubRequest,
    identity: StubIdentity,
    secret: string | undefined,
    receiver: StreamReceiver,
  ): Promise<void> {
    let refused: HttpHead | undefined;
    const body: Uint8Array[] = [];
    let size = 0;
    const answer: Receiver = {
      sent: () => receiver.sent?.(),
      head: (head) => {
        if (head.status >= 400) refused = head;
        else receiver.head?.(head);
      },
      data: (chunk, flow) => {
        if (refused === undefined) receiver.data(chunk, flow);
        else if (size < ERROR_BODY_LIMIT) {
          size += chunk.length;
          body.push(chunk);
        }
      },
    };
    const wired = wire(request, identity.token, secret);
    await this.#pool.use((connection) => connection.exchange(wired, answer, request.signal));
    if (refused !== undefined) throw RemoteError.fromWire(parseJson(Buffer.concat(body)), refused.status);
  }

  async #open() {
    try {
      return await this.link.openStream();
    } catch (error) {
      const failure = asRemoteError(error, this.link.host);
      this.#unsent.add(failure);
      throw failure;
    }
  }
}

function newRequestID(instanceID: string): string {
  return `${instanceID}:${crypto.randomUUID()}`;
}

function withHeaders(request: StubRequest, headers: Record<string, string>): StubRequest {
  return { ...request, headers: { ...request.headers, ...headers } };
}

function wire(request: StubRequest, token: string, secret: string | undefined): HttpRequest {
  const headers: Record<string, string> = { authorization: `Bearer ${token}`, ...request.headers };
  if (secret !== undefined) headers["x-approver"] = secret;
  if (request.workspace !== undefined) headers["x-workspace"] = request.workspace;
  const { method, path, body } = request;
  if (body === undefined) return { method, path, headers };
  if (body instanceof Uint8Array) {
    headers["content-type"] = "application/octet-stream";
    return { method, path, headers, body };
  }
  headers["content-type"] = "application/json";
  return { method, path, headers, body: JSON.stringify(body) };
}

function parse<T extends TSchema>(schema: T, body: Uint8Array, path: string): Static<T> {
  const value = parseJson(body);
  if (hasShape(schema, value)) return value;
  throw new RemoteError("internal", `the stub answered ${path.split("?")[0]} in another shape than this plugin knows`, {
    hint: "update the plugin or the stub: see docs/protocol.md",
  });
}

/** undefined where it is no JSON. */
function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
