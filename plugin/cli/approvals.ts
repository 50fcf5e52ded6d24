// `approvals HOST [--revoke ID]`: what this installation approved on a host, and taking it back.
import { RemoteError } from "../../protocol/errors.js";
import type { Approval, Workspace } from "../../protocol/workspace.js";
import type { CliContext, Command } from "./context.js";
import { hostOf } from "./host-words.js";
import { printable } from "./printable.js";
import { age } from "./status-text.js";
import { table } from "./table.js";

interface Listed {
  workspace: Workspace;
  approval: Approval;
}

export const approvals: Command = async (context) => {
  const { invocation, remote, progress, interrupt } = context;
  const host = hostOf(invocation.words, "approvals");
  const { signal } = interrupt;
  progress.show({ text: `connecting to ${host}` });
  const client = await remote.client(host);
  // Those of other installations are theirs: the approver goes along, so that only our own are listed.
  await client.approver.secret(signal);
  const workspaces = await client.workspaces(signal);
  const lists = await Promise.all(workspaces.map(({ id }) => client.approvals(id, signal)));
  const all = workspaces.flatMap((workspace, index) =>
    (lists[index] ?? []).map((approval) => ({ workspace, approval })),
  );
  progress.clear();
  const { revoke } = invocation.options;
  if (revoke === undefined) return await list(context, all);
  const found = all.find(({ approval }) => approval.id === revoke);
  if (found === undefined) {
    throw new RemoteError("permission_unknown", `no approval ${revoke} on ${host}`, {
      hint: `opencode-remote-ssh approvals ${host} lists them`,
    });
  }
  await client.revoke(found.workspace.id, revoke, signal);
  return await tellRevoked(context, found);
};

async function list({ globals, write }: CliContext, all: Listed[]): Promise<number> {
  if (globals.json) {
    const items = all.map(({ workspace, approval }) => ({
      workspaceID: workspace.id,
      name: workspace.name,
      ...approval,
    }));
    await write("stdout", `${JSON.stringify(items)}\n`);
    return 0;
  }
  if (all.length === 0) {
    await write("stderr", "nothing is approved there\n");
    return 0;
  }
  const rows = all.map(({ workspace, approval }) => [
    approval.id,
    approval.access,
    printable(approval.path),
    sourceOf(approval),
    `${age(Date.now() - approval.time.created)} ago`,
    printable(workspace.name),
  ]);
  await write("stdout", `${table(rows).join("\n")}\n`);
  return 0;
}

async function tellRevoked({ globals, write }: CliContext, { workspace, approval }: Listed): Promise<number> {
  const { id, path, access } = approval;
  if (globals.json)
    await write("stdout", `${JSON.stringify({ revoked: id, workspaceID: workspace.id, path, access })}\n`);
  else await write("stdout", `revoked ${access} of ${printable(path)} in ${printable(workspace.name)}\n`);
  return 0;
}

function sourceOf({ source }: Approval): string {
  if (source === "root") return "the workspace's directory";
  return source === "readRoot" ? "named with the workspace" : "answered always";
}
