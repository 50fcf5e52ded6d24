// One record of `rg --json` as a match.
import { Type } from "typebox";
import { Check } from "typebox/value";
import type { TextMatch } from "../../protocol/search.js";

const LINE_CHARACTERS = 2000;
const LINE_BYTES = LINE_CHARACTERS * 4;
const SUBMATCHES = 100;

const Text = Type.Union([Type.Object({ text: Type.String() }), Type.Object({ bytes: Type.String() })]);
const Record = Type.Object({
  type: Type.Literal("match"),
  data: Type.Object({
    path: Text,
    lines: Text,
    line_number: Type.Integer(),
    absolute_offset: Type.Integer(),
    submatches: Type.Array(Type.Object({ match: Text, start: Type.Integer(), end: Type.Integer() })),
  }),
});

export interface FoundLine {
  match: TextMatch;
  /** The first bytes of the line as they were found, enough for what is shown of it. */
  start: Buffer;
}

/** Undefined for records of another kind. Bytes that are not UTF-8 become replacement characters; long lines are cut. */
export function parseMatch(record: Buffer): FoundLine | undefined {
  const parsed: unknown = JSON.parse(record.toString("utf8"));
  if (!Check(Record, parsed)) return undefined;
  const { path, lines, line_number, absolute_offset, submatches } = parsed.data;
  const match = {
    path: { text: textOf(path).replace(/^(?:\.\/)+/, "") },
    lines: { text: cut(textOf(lines)) },
    line_number,
    absolute_offset,
    submatches: submatches
      .slice(0, SUBMATCHES)
      .map(({ match, start, end }) => ({ match: { text: cut(textOf(match)) }, start, end })),
  };
  return { match, start: bytesOf(lines).subarray(0, LINE_BYTES) };
}

function bytesOf(value: { text: string } | { bytes: string }): Buffer {
  return "text" in value ? Buffer.from(value.text) : Buffer.from(value.bytes, "base64");
}

function cut(text: string): string {
  if (text.length <= LINE_CHARACTERS) return text;
  return `${text.slice(0, LINE_CHARACTERS).replace(/[\uD800-\uDBFF]$/, "")}...`;
}

function textOf(value: { text: string } | { bytes: string }): string {
  return "text" in value ? value.text : bytesOf(value).toString("utf8");
}
