// A byte order mark is kept when a file is edited and never shown to the model.

const MARK = "\ufeff";

export interface MarkedText {
  bom: boolean;
  text: string;
}

export function splitMark(text: string): MarkedText {
  return text.startsWith(MARK) ? { bom: true, text: text.slice(1) } : { bom: false, text };
}

export function joinMark(text: string, bom: boolean): string {
  const bare = splitMark(text).text;
  return bom ? MARK + bare : bare;
}

/** UTF-8 with the mark kept as a character. */
export function decodeText(data: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(data);
}
