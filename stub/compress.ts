// Large answers to who takes them so: texts shrink to a fifth, and over a real link the bytes are the time.
import { promisify } from "node:util";
import { constants, gzip } from "node:zlib";
import type { FastifyReply, FastifyRequest } from "fastify";

/** Less is one packet or few. */
const WORTH_IT = 16 * 1024;

const zip = promisify(gzip);

/** `onSend` of a route whose payload is text. */
export async function compressLarge(request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<unknown> {
  const accepted = request.headers["accept-encoding"]?.includes("gzip") === true;
  if (!accepted || typeof payload !== "string" || payload.length < WORTH_IT) return payload;
  reply.header("content-encoding", "gzip").removeHeader("content-length");
  return zip(payload, { level: constants.Z_BEST_SPEED });
}
