// The gateway: what `attach` talks to instead of `opencode serve`. Requests for files, names and version control of an
// anchor are answered from its host, everything else is OpenCode's. On plain sockets, because node:http's upgrades never
// finish in OpenCode's Bun (oven-sh/bun#32195), and we run there where there is no Node.
import { randomBytes } from "node:crypto";
import { createServer, type Server, type Socket } from "node:net";
import { plainError, serialize } from "./answer.js";
import { basic, type Door, refusal } from "./door.js";
import { forward, type Upstream } from "./forward.js";
import { HostRoutes, type HostRoutesOptions } from "./host-routes.js";
import { readBody, withHostFiles, withLength } from "./prompt.js";
import { parseRequestHead, type RequestHead, wantsUpgrade } from "./request-head.js";

/** From the connection to the end of a head. */
const HEAD_TIMEOUT_MS = 10_000;
/** For the client to read a refusal. */
const LINGER_MS = 2000;
/** A TUI has a handful open. */
const CONNECTIONS_MOST = 256;

export interface GatewayOptions extends Omit<HostRoutesOptions, "upstream"> {
  upstream: Upstream;
}

export class Gateway implements AsyncDisposable {
  readonly #upstream: Upstream;
  readonly #routes: HostRoutes;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #door: Door = { port: 0, authorization: "" };
  #closed: Promise<void> | undefined;
  readonly username = "opencode";
  readonly password = randomBytes(24).toString("base64url");

  private constructor(options: GatewayOptions) {
    this.#upstream = options.upstream;
    this.#routes = new HostRoutes(options);
    // Bun loses what arrives on an accepted socket before a reader is attached, unless it was never started.
    this.#server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => this.#accept(socket));
    this.#server.maxConnections = CONNECTIONS_MOST;
  }

  /** Listens on loopback, on a port of the system's choice. */
  static async open(options: GatewayOptions): Promise<Gateway> {
    const gateway = new Gateway(options);
    const port = await new Promise<number>((resolve, reject) => {
      gateway.#server.once("error", reject);
      gateway.#server.listen(0, "127.0.0.1", () => {
        const address = gateway.#server.address();
        resolve(typeof address === "object" && address !== null ? address.port : 0);
      });
    });
    gateway.#door = { port, authorization: basic(gateway.username, gateway.password) };
    return gateway;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#door.port}`;
  }

  /** Ends the listener and its connections. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #end(): Promise<void> {
    const ended = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all([ended, this.#routes.close()]);
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    // Who leaves in the middle has left: there is nobody to tell.
    socket.on("error", () => socket.destroy());
    const late = setTimeout(() => socket.destroy(), HEAD_TIMEOUT_MS);
    socket.once("close", () => clearTimeout(late));
    let read = Buffer.alloc(0);
    const onData = (data: Buffer) => {
      read = Buffer.concat([read, data]);
      try {
        const head = parseRequestHead(read);
        if (head === undefined) return;
        clearTimeout(late);
        socket.off("data", onData);
        socket.pause();
        this.#take(socket, head, read.subarray(head.length));
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error;
        socket.off("data", onData);
        refuse(socket, serialize(plainError(400, error.message)));
      }
    };
    socket.on("data", onData);
    socket.resume();
  }

  #take(socket: Socket, head: RequestHead, rest: Buffer): void {
    const refused = refusal(head, this.#door);
    if (refused !== undefined) {
      const headers = refused.status === 401 ? { "www-authenticate": 'Basic realm="opencode"' } : undefined;
      refuse(socket, serialize(plainError(refused.status, `refused: ${refused.reason}`, headers)));
      return;
    }
    this.#answer(socket, head, rest).catch((error: Error) => {
      refuse(socket, serialize(plainError(500, error.message)));
    });
  }

  async #answer(socket: Socket, head: RequestHead, rest: Buffer): Promise<void> {
    const work = wantsUpgrade(head) ? undefined : await this.#routes.find(head);
    if (work === undefined) return this.#pass(socket, head, rest);
    const gone = new AbortController();
    socket.once("close", () => gone.abort());
    // Read on, so that we notice when the client leaves.
    socket.resume();
    const answer = await work(gone.signal);
    if (!gone.signal.aborted) socket.end(serialize(answer));
  }

  async #pass(socket: Socket, head: RequestHead, rest: Buffer): Promise<void> {
    if (!(await this.#routes.isPrompt(head))) return forward(socket, head, rest, this.#upstream);
    const body = await readBody(socket, head, rest);
    if (body === undefined) return;
    const prompt = withHostFiles(body);
    forward(socket, withLength(head, prompt.length), prompt, this.#upstream);
  }
}

/** What is still being sent is read and dropped for a moment, or the answer would be lost with it. */
function refuse(socket: Socket, answer: Buffer): void {
  socket.resume();
  socket.end(answer);
  const linger = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once("close", () => clearTimeout(linger));
}
