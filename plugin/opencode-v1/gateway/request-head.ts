// The head of a request as the gateway reads it: strictly, because what is behind it might read a doubtful one otherwise.

/** Bytes of a head; what is longer is refused. */
export const HEAD_LIMIT = 64 * 1024;
const END = Buffer.from("\r\n\r\n");
const REQUEST_LINE = /^([A-Z]+) (\/\S*) HTTP\/1\.1$/;
const HEADER = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/;
/** Each of these decides something and may stand there once. */
const SINGLE = ["host", "origin", "authorization", "x-opencode-directory", "content-length", "upgrade"];

export interface RequestHead {
  method: string;
  /** Path and query. */
  target: string;
  /** As they came, in their order. */
  headers: [name: string, value: string][];
  /** Bytes, with the empty line. */
  length: number;
}

/** Undefined while it is not complete. Throws SyntaxError for what is no plain HTTP/1.1 request. */
export function parseRequestHead(bytes: Buffer): RequestHead | undefined {
  const end = bytes.indexOf(END);
  if (end === -1) {
    if (bytes.length > HEAD_LIMIT) throw new SyntaxError("the head is too long");
    return undefined;
  }
  const [first = "", ...lines] = bytes.toString("latin1", 0, end).split("\r\n");
  const line = REQUEST_LINE.exec(first);
  if (line === null) throw new SyntaxError("no HTTP/1.1 request line");
  const headers = lines.map((text): [string, string] => {
    const header = HEADER.exec(text);
    if (header === null || text.includes("\0")) throw new SyntaxError("a header that is none");
    return [header[1] as string, header[2] as string];
  });
  const head = { method: line[1] as string, target: line[2] as string, headers, length: end + END.length };
  for (const name of SINGLE) {
    if (headers.filter(([each]) => each.toLowerCase() === name).length > 1)
      throw new SyntaxError(`more than one ${name}`);
  }
  return head;
}

/** The value of a header, `name` in lower case. */
export function header(head: RequestHead, name: string): string | undefined {
  return head.headers.find(([each]) => each.toLowerCase() === name)?.[1];
}

export function wantsUpgrade(head: RequestHead): boolean {
  return header(head, "upgrade") !== undefined;
}
