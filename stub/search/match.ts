// One record of `rg --json` as a match.
import { join } from "node:path";
import { Type } from "typebox";
import { Check } from "typebox/value";
import type { Match } from "../../protocol/search.js";

const LINE_CHARACTERS = 2000;

const Text = Type.Union([Type.Object({ text: Type.String() }), Type.Object({ bytes: Type.String() })]);
const Record = Type.Object({
  type: Type.Literal("match"),
  data: Type.Object({ path: Text, lines: Text, line_number: Type.Integer() }),
});

/** Undefined for records of another kind. Bytes that are not UTF-8 become replacement characters. */
export function parseMatch(record: Buffer, directory: string): Omit<Match, "mtime"> | undefined {
  const parsed: unknown = JSON.parse(record.toString("utf8"));
  if (!Check(Record, parsed)) return undefined;
  const { path, lines, line_number: line } = parsed.data;
  const text = textOf(lines).replace(/\r?\n$/, "");
  return {
    path: join(directory, textOf(path)),
    line,
    text: text.length > LINE_CHARACTERS ? `${text.slice(0, LINE_CHARACTERS)}...` : text,
  };
}

function textOf(value: { text: string } | { bytes: string }): string {
  return "text" in value ? value.text : Buffer.from(value.bytes, "base64").toString("utf8");
}
