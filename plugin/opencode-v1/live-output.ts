// Output while a command runs. `ctx.metadata()` does nothing for plugin tools in 1.18.33, so the running part of the
// message is patched through OpenCode's own API: at most one request under way, none after the call has ended.
import type { CallContext, OpencodeClient, ToolPart } from "./opencode-types.js";

/** Between two updates, milliseconds: people read no faster. */
const INTERVAL_MS = 150;
/** What the last update may take before the tool answers without waiting for it. */
const LAST_UPDATE_MS = 1000;

export interface LiveOutput {
  /** Shows this instead of what was shown before. */
  show(output: string): void;
  /** Resolves when nothing is under way any more; shows nothing from then on. */
  end(): Promise<void>;
}

/** The published client keeps its generic part protected; this is what we use of it. */
interface RawClient {
  _client: {
    get(request: RawRequest): Promise<{ data?: unknown }>;
    patch(request: RawRequest): Promise<{ data?: unknown }>;
  };
}

interface RawRequest {
  url: string;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

export function liveOutput(client: OpencodeClient, context: CallContext): LiveOutput {
  const raw = (client as unknown as RawClient)._client;
  const message = `/session/${context.sessionID}/message/${context.messageID}`;
  let part: ToolPart | undefined;
  let latest: string | undefined;
  let shown: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  let sending: Promise<void> | undefined;
  let over = context.callID === undefined;

  const update = async () => {
    const output = latest;
    if (part === undefined) {
      const { data } = await raw.get({ url: message });
      const parts = (data as { parts?: ToolPart[] } | undefined)?.parts ?? [];
      part = parts.find((candidate) => candidate.type === "tool" && candidate.callID === context.callID);
    }
    if (part?.state?.status !== "running" || context.abort.aborted) {
      over = true;
      return;
    }
    const body = { ...part, state: { ...part.state, metadata: { ...part.state.metadata, output } } };
    const headers = { "content-type": "application/json" };
    await raw.patch({ url: `${message}/part/${part.id}`, body, headers });
    shown = output;
  };
  const tick = () => {
    timer = undefined;
    sending = update()
      // A lost update is no failed command: the tool's answer has everything.
      .catch(() => undefined)
      .finally(() => {
        sending = undefined;
        if (!over && latest !== shown) timer ??= setTimeout(tick, INTERVAL_MS);
      });
  };
  return {
    show(output) {
      latest = output;
      if (!over && !sending) timer ??= setTimeout(tick, INTERVAL_MS);
    },
    async end() {
      over = true;
      clearTimeout(timer);
      if (!sending) return;
      let limit: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        limit = setTimeout(resolve, LAST_UPDATE_MS);
      });
      await Promise.race([sending, late]);
      clearTimeout(limit);
    },
  };
}
