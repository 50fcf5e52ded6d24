// /vcs: version control of the host's directory, by the host's git.
import type { VcsFileDiff, VcsInfo } from "../../../protocol/vcs.js";
import { printable } from "../printable.js";
import { json, plainError } from "./answer.js";
import type { HostRouteTable } from "./host-route.js";
import { fromHost } from "./names.js";
import { integer, nonNegative, oneOf, required } from "./query.js";

export const vcsRoutes: HostRouteTable = {
  "GET /vcs": async ({ session, signal }) => json(shown(await session.vcs.info({ signal }))),

  "GET /vcs/status": async ({ session, signal }) => json(named(await session.vcs.status({ signal }))),

  "GET /vcs/diff": async ({ session, query, signal }) => {
    required(query, "mode");
    const mode = oneOf(query, "mode", ["git", "branch"]) ?? "git";
    const context = nonNegative("context", integer(query, "context"));
    return json(named(await session.vcs.diff(mode, context === undefined ? { signal } : { signal, context })));
  },

  "GET /vcs/diff/raw": async ({ session, signal }) => {
    const body = await session.vcs.raw({ signal });
    return { status: 200, type: "text/x-diff; charset=utf-8", body };
  },

  // It would change the anchor's files, which are none.
  "POST /vcs/apply": async ({ host }) =>
    plainError(501, `patches are not applied on ${host} this way; nothing was done`),
};

function shown({ branch, default_branch }: VcsInfo): VcsInfo {
  const clean = (name: string | null) => (name === null ? null : printable(name));
  return { branch: clean(branch), default_branch: clean(default_branch) };
}

function named<T extends Pick<VcsFileDiff, "file">>(files: T[]): T[] {
  return files.flatMap((each) => {
    const file = fromHost(each.file);
    return file === undefined ? [] : [{ ...each, file }];
  });
}
