// /file and /find, as OpenCode 1.18.33 answers them on the same tree.
import { join, resolve } from "node:path";
import type { RunnerEntry } from "../../runner/runner.js";
import { json } from "./answer.js";
import { readWhole } from "./contents.js";
import type { HostRequest, HostRouteTable } from "./host-route.js";
import { entryName, fromHost, inAnchor } from "./names.js";
import { integer, oneOf, required, within } from "./query.js";

const FIND_LIMIT = 10;
const FIND_FILES_MOST = 200;

export const fileRoutes: HostRouteTable = {
  "GET /file": async (request) => {
    const entries = await entriesOf(request, required(request.query, "path"));
    return json(
      entries.map(({ name, path, type, ignored }) => ({
        name,
        path,
        absolute: resolve(request.anchor, path),
        type,
        ignored,
      })),
    );
  },

  "GET /file/content": async (request) => {
    const path = inAnchor(required(request.query, "path"), request.anchor);
    const file = await readWhole(request, path, "or nothing");
    if (file === undefined) return json({ type: "text", content: "" });
    if (file.text !== undefined) return json({ type: "text", content: file.text.trim() });
    const content = Buffer.from(file.data).toString("base64");
    return json({ type: "binary", content, encoding: "base64", mimeType: file.mime });
  },

  // OpenCode itself knows nothing here.
  "GET /file/status": async () => json([]),

  "GET /find": async ({ session, query, signal }) => {
    const matches = await session.findText(required(query, "pattern"), { limit: FIND_LIMIT, signal });
    return json(
      matches.flatMap((match) => {
        const text = fromHost(match.path.text);
        return text === undefined ? [] : [{ ...match, path: { text } }];
      }),
    );
  },

  "GET /find/file": async ({ session, query, signal }) => {
    const wanted = required(query, "query");
    const dirs = oneOf(query, "dirs", ["true", "false"]);
    const type = oneOf(query, "type", ["file", "directory"]) ?? (dirs === "false" ? "file" : undefined);
    const limit = within("limit", integer(query, "limit"), FIND_FILES_MOST) ?? FIND_LIMIT;
    const names = await session.findFiles(wanted, { limit, type, signal });
    return json(names.flatMap((name) => fromHost(name) ?? []));
  },

  // Language servers run neither there nor here.
  "GET /find/symbol": async ({ query }) => {
    required(query, "query");
    return json([]);
  },
};

export interface Listed extends Pick<RunnerEntry, "ignored"> {
  name: string;
  /** Relative to the anchor; a directory's ends with a slash. */
  path: string;
  type: "file" | "directory";
}

/** Directories first, then by name; links and what is neither are left out, as OpenCode does. */
export async function entriesOf({ session, anchor, signal }: HostRequest, path: string): Promise<Listed[]> {
  const directory = inAnchor(path, anchor);
  const entries = await session.readdir(directory, { signal });
  const listed = entries.flatMap(({ name: given, type, ignored }): Listed[] => {
    const name = entryName(given);
    if (name === undefined || (type !== "file" && type !== "directory")) return [];
    return [{ name, path: `${join(directory, name)}${type === "directory" ? "/" : ""}`, type, ignored }];
  });
  return listed;
}
