// /api/fs: the newer file API, which `@` completion asks. Every answer says where it is from.
import { type Answer, json } from "./answer.js";
import { readWhole } from "./contents.js";
import { entriesOf } from "./file-routes.js";
import type { HostRouteTable } from "./host-route.js";
import type { LocationOf } from "./location.js";
import { fromHost, inAnchor } from "./names.js";
import { integer, oneOf, positive, required } from "./query.js";

/** Where the client names none; also the most. */
const FIND_LIMIT = 1000;

export function filesystemRoutes(location: LocationOf): HostRouteTable {
  const located = async (anchor: string, signal: AbortSignal, data: unknown): Promise<Answer> =>
    json({ location: await location.of(anchor, signal), data });
  return {
    "GET /api/fs/list": async (request) => {
      const entries = await entriesOf(request, request.query.get("path") ?? "");
      const data = entries.map(({ path, type }) => ({ path, type }));
      return await located(request.anchor, request.signal, data);
    },

    "GET /api/fs/find": async ({ session, anchor, query, signal }) => {
      const wanted = required(query, "query");
      const type = oneOf(query, "type", ["file", "directory"]);
      const limit = Math.min(positive("limit", integer(query, "limit")) ?? FIND_LIMIT, FIND_LIMIT);
      const names = await session.findFiles(wanted, { limit, type, signal });
      const data = names.flatMap((name) => {
        const path = fromHost(name);
        return path === undefined ? [] : [{ path, type: path.endsWith("/") ? "directory" : "file" }];
      });
      return await located(anchor, signal, data);
    },

    "GET /api/fs/read/*": async (request) => {
      const { mime, data } = await readWhole(request, inAnchor(request.rest, request.anchor), "or fail");
      return { status: 200, type: mime, body: data };
    },
  };
}
