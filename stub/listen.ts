// Opening the doors: loopback TCP and the unix socket, both into the same HTTP server.
import { randomBytes } from "node:crypto";
import { chmod, lstat, rename, unlink } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { dirname, join } from "node:path";
import type { FastifyInstance } from "fastify";
import { ignoreMissing } from "../protocol/errors.js";

export interface Doors {
  port: number;
  socket: string;
  /** Closes the unix socket and removes its file if it is still ours. The TCP side closes with the app. */
  close(): Promise<void>;
}

export async function openDoors(
  app: FastifyInstance,
  listen: { host: string; port: number },
  socket: string,
): Promise<Doors> {
  await app.listen(listen);
  const address = app.server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no TCP port");
  const server = createServer({ noDelay: true }, (connection) => app.server.emit("connection", connection));
  await bind(server, socket);
  const { dev, ino } = await lstat(socket, { bigint: true });
  const close = async () => {
    await new Promise((resolve) => server.close(resolve));
    const now = await lstat(socket, { bigint: true }).catch(ignoreMissing);
    if (now?.ino === ino && now.dev === dev) await unlink(socket).catch(ignoreMissing);
  };
  return { port: address.port, socket, close };
}

/** Under a temporary name first, which is not longer: a client finds the old stub, or one that listens and is 0600. */
async function bind(server: Server, path: string): Promise<void> {
  const temporary = join(dirname(path), `.${randomBytes(3).toString("hex")}`);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(temporary, () => {
      server.off("error", reject);
      resolve();
    });
  });
  await chmod(temporary, 0o600);
  await rename(temporary, path);
}
