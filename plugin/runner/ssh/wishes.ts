// What a user wants of a workspace's enforcement, and what its stub was last told of it: a warm session asks nothing.
import type { WorkspaceChange } from "../../../protocol/workspace.js";

export type Wish = Required<WorkspaceChange>;

/** What a workspace has that was never told anything. */
export const USUAL_WISH: Wish = { enforcement: "best", network: true };

/** Remembered on this machine, by workspace id. */
export interface Wishes {
  /** Undefined: the usual. */
  told(workspaceID: string): Promise<Wish | undefined>;
  /** The usual needs no memory. */
  remember(workspaceID: string, wish: Wish): Promise<void>;
}

export function sameWish(one: Wish, other: Wish): boolean {
  return one.enforcement === other.enforcement && one.network === other.network;
}

/** Where there is no place to remember. */
export const FORGETFUL: Wishes = { told: async () => undefined, remember: async () => undefined };
