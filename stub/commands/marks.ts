// Where the rings of a command's two logs stand: the first line of `.run`, which the helper overwrites in place as it prints
// on (stub/native/helper/log.h says what the numbers mean, record.c writes them). All zero: the log is a plain file.
import { readSync } from "node:fs";

export interface Marks {
  head: number;
  ring: number;
  /** First byte behind the hole. */
  floor: number;
  /** Bytes printed. */
  end: number;
}

/** Of stdout and stderr; undefined: a plain file. */
export type LogMarks = readonly [Marks | undefined, Marks | undefined];

/** Five numbers of 16 digits and a character behind each, for each stream. */
const DIGITS = 16;
const STREAM = 5 * (DIGITS + 1);
/** Reads until one comes whole; the helper writes one in a microsecond. */
const ATTEMPTS = 100;

/** Throws SyntaxError. */
export function parseMarks(line: string): LogMarks {
  return [parseStream(line, 0), parseStream(line, STREAM)];
}

/** As they are now. Throws SyntaxError for what is no record. */
export function readMarks(descriptor: number, stream: 0 | 1): Marks | undefined {
  const bytes = Buffer.allocUnsafe(STREAM);
  for (let attempt = 1; ; attempt++) {
    readSync(descriptor, bytes, 0, STREAM, stream * STREAM);
    try {
      return parseStream(bytes.toString("latin1"), 0);
    } catch (error) {
      if (!(error instanceof SyntaxError) || attempt === ATTEMPTS) throw error;
    }
  }
}

const PLAIN = `${"0".repeat(DIGITS)} `.repeat(4);

function parseStream(text: string, at: number): Marks | undefined {
  if (text.startsWith(PLAIN, at)) return undefined;
  const numbers = [0, 1, 2, 3, 4].map((i) => {
    const digits = text.slice(at + i * (DIGITS + 1), at + i * (DIGITS + 1) + DIGITS);
    if (!/^[0-9a-f]{16}$/.test(digits)) throw new SyntaxError("not the marks of a log");
    return BigInt(`0x${digits}`);
  });
  const [head = 0n, ring = 0n, floor = 0n, end = 0n, check] = numbers;
  if ((head ^ ring ^ floor ^ end) !== check) throw new SyntaxError("the marks of a log are torn");
  return { head: Number(head), ring: Number(ring), floor: Number(floor), end: Number(end) };
}
