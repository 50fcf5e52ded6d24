// The head of an HTTP/1.1 answer as the two readers of the laptop's side see it: the one that asks who listens, before
// anything is trusted (tunnel/exchange.ts), and the one that carries every request afterwards (stub-client/answer-parser.ts).

export interface HttpHead {
  status: number;
  /** Lower-case names; a repeated header is its first value. */
  headers: Record<string, string>;
}

/** `text`: all lines of the head, without the empty one. Throws SyntaxError for what is no HTTP/1.1 answer. */
export function parseHead(text: string): HttpHead {
  const [first = "", ...lines] = text.split("\r\n");
  const status = /^HTTP\/1\.1 (\d{3})(?: |$)/.exec(first)?.[1];
  if (status === undefined) throw new SyntaxError("no HTTP/1.1 status line");
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon < 1) throw new SyntaxError("a header without a name");
    headers[line.slice(0, colon).toLowerCase()] ??= line.slice(colon + 1).trim();
  }
  return { status: Number(status), headers };
}

/** Whether the stream may carry another request behind this answer. */
export function keepsAlive({ headers }: HttpHead): boolean {
  return headers.connection?.toLowerCase() !== "close";
}
