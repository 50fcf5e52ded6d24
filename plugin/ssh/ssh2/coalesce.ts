// ssh2 writes each packet in three pieces (length, body, tag), and the socket sends each at once: three system calls and,
// on a real link, three TCP segments. Held together until the end of the turn they are one; a round trip gains a quarter.
import type { Duplex } from "node:stream";

export function coalesceWrites(stream: Duplex): void {
  let corked = false;
  const write = stream.write.bind(stream) as (...rest: unknown[]) => boolean;
  const uncork = () => {
    corked = false;
    stream.uncork();
  };
  stream.write = (...rest: unknown[]) => {
    if (!corked) {
      corked = true;
      stream.cork();
      process.nextTick(uncork);
    }
    return write(...rest);
  };
}
