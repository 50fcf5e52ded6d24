// A loopback port on the laptop that leads to the stub, for curl. A pipe of bytes: token, Host and Origin are the stub's to judge.
import { createServer, type Server, type Socket } from "node:net";
import { codeOf, RemoteError } from "../../protocol/errors.js";
import type { StubLink } from "./link.js";

export interface LocalPort {
  port: number;
  /** `http://127.0.0.1:PORT` */
  url: string;
  /** Ends the listener and its connections. Idempotent; closing the link does it too. */
  close(): Promise<void>;
}

/** The first free port of `range` (both ends included), else any. Throws `EBUSY` where all of the range is taken. */
export async function openLocalPort(link: StubLink, range?: readonly [number, number]): Promise<LocalPort> {
  const sockets = new Set<Socket>();
  // Bun loses what arrives on an accepted socket before a reader is attached, unless it was never started.
  const server = createServer({ pauseOnConnect: true, noDelay: true, allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    join(link, socket);
  });
  const port = await listenInRange(server, range);
  let closed: Promise<void> | undefined;
  const close = () => {
    closed ??= new Promise<void>((resolve) => {
      subscription[Symbol.dispose]();
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
    return closed;
  };
  const subscription = link.onProgress(({ state }) => {
    if (state === "idle") void close();
  });
  return { port, url: `http://127.0.0.1:${port}`, close };
}

async function join(link: StubLink, socket: Socket): Promise<void> {
  const gone = new AbortController();
  socket.once("close", () => gone.abort());
  try {
    const stream = await link.openStream(gone.signal);
    const drop = () => {
      stream.destroy();
      socket.destroy();
    };
    for (const each of [stream, socket]) {
      each.on("error", drop);
      each.once("close", drop);
    }
    stream.pipe(socket);
    socket.pipe(stream);
  } catch (error) {
    // A client that waits for a stub which cannot be reached is told by the end of its connection.
    if (!(error instanceof Error)) throw error;
    socket.destroy();
  }
}

async function listenInRange(server: Server, range: readonly [number, number] | undefined): Promise<number> {
  const [first, last] = range ?? [0, 0];
  for (let port = first; port <= last; port++) {
    const bound = await listen(server, port);
    if (bound !== undefined) return bound;
  }
  throw new RemoteError("EBUSY", `no port between ${first} and ${last} is free on this machine`, {
    hint: "close another connect, or widen tunnel.localPortRange",
  });
}

/** The bound port; undefined where it is taken. */
function listen(server: Server, port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error) => {
      if (codeOf(error) === "EADDRINUSE" || codeOf(error) === "EACCES") resolve(undefined);
      else reject(error);
    };
    server.once("error", onError);
    server.listen(port, "127.0.0.1", () => {
      server.off("error", onError);
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : port);
    });
  });
}
