// Search on this machine by ripgrep, as the stub does on a host.
import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { RemoteError } from "../../../protocol/errors.js";
import type { FindAnswer, GlobAnswer, TextMatch } from "../../../protocol/search.js";

const DEFAULT_LIMIT = 100;
const LINE_LIMIT = 2000;
const NOT_GIT = "--glob=!**/.git/**";
const OUTPUT_LIMIT = 64 * 1024 * 1024;

export async function globFiles(
  rg: string,
  directory: string,
  pattern: string,
  limit = DEFAULT_LIMIT,
  signal?: AbortSignal,
): Promise<GlobAnswer> {
  const args = ["--no-config", "--files", `--glob=${pattern}`, NOT_GIT, "--null", "."];
  const { stdout } = await run(rg, args, directory, signal);
  const names = stdout.split("\0").filter((name) => name !== "");
  const files = names.map((name) => ({ path: resolve(directory, name) }));
  return { files: files.slice(0, limit), truncated: files.length > limit };
}

export async function searchText(
  rg: string,
  target: { directory: string; path: string },
  query: { pattern: string; include?: string; limit?: number },
  signal?: AbortSignal,
): Promise<FindAnswer> {
  const { limit = DEFAULT_LIMIT } = query;
  const { events, status } = await matches(rg, target, query, signal);
  const found = events.map(({ path, line_number, lines }) => {
    const text = textOf(lines).replace(/\r?\n$/, "");
    return { path: resolve(target.directory, textOf(path)), line: line_number, text: text.slice(0, LINE_LIMIT) };
  });
  return { matches: found.slice(0, limit), truncated: found.length > limit, partial: status === 2 };
}

/** The same as ripgrep's own records. */
export async function findText(
  rg: string,
  target: { directory: string; path: string },
  query: { pattern: string },
  signal?: AbortSignal,
): Promise<TextMatch[]> {
  const { events } = await matches(rg, target, query, signal);
  return events.map(({ path, lines, line_number, absolute_offset, submatches }) => ({
    path: { text: textOf(path).replace(/^\.\//, "") },
    lines: { text: textOf(lines) },
    line_number,
    absolute_offset,
    submatches: submatches.map(({ match, start, end }) => ({ match: { text: textOf(match) }, start, end })),
  }));
}

/** Names that hold what was typed, the shortest first. */
export async function likeNames(
  rg: string,
  directory: string,
  query: string,
  type: "file" | "directory" | undefined,
  signal?: AbortSignal,
): Promise<string[]> {
  const { stdout } = await run(rg, ["--no-config", "--files", "--hidden", NOT_GIT, "--null"], directory, signal);
  const files = stdout.split("\0").filter((name) => name !== "");
  const parents = files.flatMap((file) => [...file.matchAll(/\//g)].map(({ index }) => file.slice(0, index + 1)));
  const names = new Set([...(type === "directory" ? [] : files), ...(type === "file" ? [] : parents)]);
  const like = [...names].filter((name) => name.toLowerCase().includes(query.toLowerCase()));
  return like.sort((left, right) => left.length - right.length || (left < right ? -1 : 1));
}

async function matches(
  rg: string,
  target: { directory: string; path: string },
  { pattern, include }: { pattern: string; include?: string },
  signal?: AbortSignal,
): Promise<{ events: RipgrepMatch[]; status: number }> {
  const globs = include === undefined ? [] : ["--glob", include];
  const args = ["--no-config", "--json", "--hidden", ...globs, NOT_GIT, "--", pattern, target.path];
  const { stdout, status } = await run(rg, args, target.directory, signal);
  const records = stdout.split("\n").filter((line) => line !== "");
  const events = records.map((line) => JSON.parse(line) as RipgrepEvent);
  return { events: events.flatMap((event) => (event.type === "match" ? [event.data] : [])), status };
}

interface RipgrepText {
  text?: string;
  bytes?: string;
}

interface RipgrepMatch {
  path: RipgrepText;
  lines: RipgrepText;
  line_number: number;
  absolute_offset: number;
  submatches: { match: RipgrepText; start: number; end: number }[];
}

interface RipgrepEvent {
  type: string;
  data: RipgrepMatch;
}

function textOf({ text, bytes }: RipgrepText): string {
  return text ?? Buffer.from(bytes ?? "", "base64").toString("utf8");
}

/** 0: found, 1: nothing found, 2: some paths could not be read. Throws where nothing could be searched. */
function run(rg: string, args: string[], cwd: string, signal?: AbortSignal) {
  return new Promise<{ stdout: string; status: number }>((done, fail) => {
    execFile(rg, args, { cwd, signal, maxBuffer: OUTPUT_LIMIT, encoding: "utf8" }, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      if (status === 0 || status === 1 || (status === 2 && stdout !== "")) return done({ stdout, status });
      if (signal?.aborted) return fail(new RemoteError("aborted", "aborted", { cause: signal.reason }));
      if (status === 2) return fail(new RemoteError("invalid_request", stderr.trim() || "ripgrep refused the pattern"));
      fail(new RemoteError("spawn_failed", `ripgrep did not run: ${error?.message}`, { cause: error }));
    });
  });
}
