// The requests that are answered from the host. Paths are matched as OpenCode's router takes them: whatever the case, the
// percent-encoding and the slashes.
import { RemoteError } from "../../../protocol/errors.js";
import { type AnchoredSession, AnchoredSessions, type AnchoredSessionsOptions } from "./anchored-sessions.js";
import { type Answer, badQuery, failure } from "./answer.js";
import { fileRoutes } from "./file-routes.js";
import { filesystemRoutes } from "./filesystem-routes.js";
import type { Upstream } from "./forward.js";
import type { HostRoute } from "./host-route.js";
import { LocationOf } from "./location.js";
import { isPrompt } from "./prompt.js";
import { BadQuery } from "./query.js";
import { header, type RequestHead } from "./request-head.js";
import { vcsRoutes } from "./vcs-routes.js";

export interface HostRoutesOptions extends AnchoredSessionsOptions {
  upstream: Upstream;
  /** What OpenCode works in where a request names nothing. */
  directory: string;
}

export class HostRoutes {
  readonly #sessions: AnchoredSessions;
  readonly #directory: string;
  readonly #table: Map<string, HostRoute>;

  constructor(options: HostRoutesOptions) {
    this.#sessions = new AnchoredSessions(options);
    this.#directory = options.directory;
    const location = new LocationOf(options.upstream);
    this.#table = new Map(Object.entries({ ...fileRoutes, ...vcsRoutes, ...filesystemRoutes(location) }));
  }

  /** Undefined: it is OpenCode's own. */
  async find(head: RequestHead): Promise<((signal: AbortSignal) => Promise<Answer>) | undefined> {
    const url = targetOf(head);
    const found = url && this.#match(head.method, url.path);
    if (!found) return undefined;
    const { query } = url;
    const api = url.path.toLowerCase().startsWith("/api/");
    // A workspace has a directory of its own, and the plugin there.
    if (api ? query.get("location[workspace]") : query.get("workspace")) return undefined;
    const directory = directoryOf(head, query, api) ?? this.#directory;
    let at: AnchoredSession | undefined;
    try {
      at = await this.#sessions.at(directory);
    } catch (error) {
      if (!(error instanceof RemoteError)) throw error;
      return async () => failure(error, "of this anchor");
    }
    if (at === undefined) return undefined;
    const { host, session } = at;
    return async (signal) => {
      try {
        return await this.#sessions.within(at, signal, (limited) =>
          found.route({ host, session, anchor: directory, query, rest: found.rest, signal: limited }),
        );
      } catch (error) {
        return error instanceof BadQuery ? badQuery(error, api) : failure(error, host);
      }
    };
  }

  /** Whether it is a prompt for one of our anchors. Opens no connection. */
  async isPrompt(head: RequestHead): Promise<boolean> {
    const url = targetOf(head);
    if (!url || !isPrompt(head, url.path) || url.query.get("workspace")) return false;
    return await this.#sessions.isAnchor(directoryOf(head, url.query, false) ?? this.#directory);
  }

  close(): Promise<void> {
    return this.#sessions.close();
  }

  #match(method: string, path: string): { route: HostRoute; rest: string } | undefined {
    const wanted = `${method === "HEAD" ? "GET" : method} ${path.toLowerCase()}`;
    const exact = this.#table.get(wanted);
    if (exact !== undefined) return { route: exact, rest: "" };
    for (const [pattern, route] of this.#table) {
      if (!pattern.endsWith("*") || !wanted.startsWith(pattern.slice(0, -1))) continue;
      return { route, rest: path.slice(pattern.length - 1 - pattern.indexOf("/")) };
    }
    return undefined;
  }
}

/** Decoded, slashes made one, none at the end. Undefined for what cannot be decoded: OpenCode refuses it. */
function targetOf({ target }: RequestHead): { path: string; query: URLSearchParams } | undefined {
  const [raw = "", ...rest] = target.split("?");
  try {
    const path = decodeURIComponent(raw)
      .replace(/\/{2,}/g, "/")
      .replace(/(.)\/$/, "$1");
    return { path, query: new URLSearchParams(rest.join("?")) };
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

/** Where OpenCode looks for it, in its order. */
function directoryOf(head: RequestHead, query: URLSearchParams, api: boolean): string | undefined {
  const named = query.get(api ? "location[directory]" : "directory");
  if (named) return named;
  const encoded = header(head, "x-opencode-directory");
  if (!encoded) return undefined;
  try {
    return decodeURIComponent(encoded);
  } catch (error) {
    if (error instanceof URIError) return encoded;
    throw error;
  }
}
