// Answers that came compressed; a host cannot fill our memory with a small one.
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { RemoteError } from "../../protocol/errors.js";

/** The largest answer that a stub compresses, with room. */
const LIMIT = 128 * 1024 * 1024;

const inflate = promisify(gunzip);

export async function unzip(body: Uint8Array): Promise<Uint8Array> {
  try {
    return await inflate(body, { maxOutputLength: LIMIT });
  } catch (error) {
    throw new RemoteError("internal", "the stub's compressed answer cannot be read", { cause: error });
  }
}
