// What a host answered, picked out of whatever its login shell, banners and rc files print around it.

export interface Frame {
  /** Exactly what the command printed; bytes that are not UTF-8 are replaced. */
  text: string;
  /** Exit status of the command inside. */
  status: number;
}

export type Frames = ReadonlyMap<string, Frame>;

const NAME = /^[a-z_]+$/;

/** Complete frames in the order they came; a repeated name keeps the last. Anything outside of frames is ignored. */
export function parseFrames(output: Buffer, nonce: string): Map<string, Frame> {
  const frames = new Map<string, Frame>();
  let at = 0;
  for (;;) {
    const frame = nextFrame(output, nonce, at);
    if (frame === undefined) return frames;
    frames.set(frame.name, { text: frame.text, status: frame.status });
    at = frame.end;
  }
}

/** The first complete frame from byte `from` on; `end` is the byte behind it. */
export function nextFrame(
  output: Buffer,
  nonce: string,
  from = 0,
): { name: string; text: string; status: number; end: number } | undefined {
  for (let at = from; ; ) {
    const open = output.indexOf(`\n${nonce}<`, at);
    if (open === -1) return undefined;
    const body = output.indexOf("\n", open + nonce.length + 2);
    if (body === -1) return undefined;
    const name = output.toString("latin1", open + nonce.length + 2, body);
    const close = output.indexOf(`\n${nonce}>${name} `, body);
    if (!NAME.test(name)) {
      at = open + 1;
      continue;
    }
    if (close === -1) return undefined;
    const tail = close + nonce.length + name.length + 3;
    const end = output.indexOf("\n", tail);
    if (end === -1) return undefined;
    const text = output.toString("utf8", body + 1, Math.max(body + 1, close));
    return { name, text, status: Number.parseInt(output.toString("latin1", tail, end), 10), end: end + 1 };
  }
}
