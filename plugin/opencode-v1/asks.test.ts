import { describe, expect, it } from "vitest";
import type { RunnerAsk } from "../runner/runner.js";
import { Asks } from "./asks.js";
import type { CallContext } from "./opencode-types.js";

const path = "/etc/app/secret.conf";
const ask: RunnerAsk = {
  permissionID: "per_0123456789",
  permission: "external_directory",
  path,
  access: "read",
  paths: [{ path, access: "read", kind: "file" }],
  reason: "read",
};

/** OpenCode's side: `answer` is called with the prompt and emits what OpenCode would. */
function context(answer: (request: Record<string, unknown>) => Promise<void>): CallContext {
  return { ask: answer } as unknown as CallContext;
}

function asked(asks: Asks, request: Record<string, unknown>, id: string): void {
  asks.handle({ type: "permission.asked", properties: { ...request, id, sessionID: "ses_1" } });
}

function replied(asks: Asks, id: string, reply: string): void {
  asks.handle({ type: "permission.replied", properties: { sessionID: "ses_1", requestID: id, reply } });
}

describe("the host's question as OpenCode's prompt", () => {
  it("names the directory, and lets OpenCode remember nothing", async () => {
    const asks = new Asks("prod");
    let seen: unknown;
    const call = asks.forCall(
      context(async (request) => {
        seen = request;
      }),
    );
    expect(await call.onAsk(ask, new AbortController().signal)).toEqual({ reply: "once" });
    expect(seen).toMatchObject({
      permission: "external_directory",
      patterns: ["/etc/app/*"],
      always: [],
      metadata: { filepath: "/etc/app/secret.conf", parentDir: "/etc/app", access: "read", host: "prod" },
    });
  });

  it("is one prompt for several paths, each directory once, and says what each is wanted for", async () => {
    const asks = new Asks("prod");
    const paths = [
      { path: "/srv/a/one", access: "read" as const, kind: "file" as const },
      { path: "/srv/a/two", access: "read" as const, kind: "file" as const },
      { path: "/srv/b", access: "write" as const, kind: "directory" as const },
    ];
    const seen: unknown[] = [];
    const call = asks.forCall(context(async (request) => void seen.push(request)));
    await call.onAsk({ ...ask, path: "/srv/a/one", paths }, new AbortController().signal);
    expect(seen).toEqual([
      expect.objectContaining({
        permission: "external_directory",
        patterns: ["/srv/a/*", "/srv/b/*"],
        metadata: expect.objectContaining({ filepath: "/srv/a/one", parentDir: "/srv/a", paths }),
      }),
    ]);
  });

  it("shows what `always` would approve where that is more: a toolchain is approved as a whole", async () => {
    const asks = new Asks("prod");
    const patterns: string[][] = [];
    const call = asks.forCall(context(async (request) => void patterns.push(request.patterns as string[])));
    for (const told of [["/etc/*"], ["/etc/app/*"], ["/etc/app/secret.conf"]])
      await call.onAsk({ ...ask, patterns: told }, new AbortController().signal);
    expect(patterns).toEqual([["/etc/app/*", "/etc/*"], ["/etc/app/*"], ["/etc/app/*"]]);
  });

  it("shows the whole command that is to run unconfined, and takes no rule for an answer", async () => {
    const asks = new Asks("prod");
    const seen: unknown[] = [];
    const prompts = { shown: true };
    const call = asks.forCall(
      context(async (request) => {
        seen.push(request);
        if (!prompts.shown) return;
        asked(asks, request, "per_oc");
        replied(asks, "per_oc", "once");
      }),
    );
    const unconfined: RunnerAsk = { ...ask, permission: "unconfined", command: "sudo true" };
    const { signal } = new AbortController();
    expect(await call.onAsk(unconfined, signal)).toEqual({ reply: "once" });
    prompts.shown = false;
    expect(await call.onAsk(unconfined, signal)).toMatchObject({ reply: "reject", message: expect.any(String) });
    seen.pop();
    expect(seen).toEqual([
      expect.objectContaining({ permission: "external_directory", patterns: ["unconfined: sudo true"], always: [] }),
    ]);
  });

  it("tells once from always by the event, also when that comes after the prompt is gone", async () => {
    for (const reply of ["once", "always"] as const) {
      for (const late of [false, true]) {
        const asks = new Asks("prod");
        const call = asks.forCall(
          context(async (request) => {
            asked(asks, request, "per_oc");
            if (late) setTimeout(() => replied(asks, "per_oc", reply), 20);
            else replied(asks, "per_oc", reply);
          }),
        );
        expect(await call.onAsk(ask, new AbortController().signal)).toEqual({ reply });
      }
    }
  });

  it("keeps two questions apart whose answers come crosswise", async () => {
    const asks = new Asks("prod");
    const call = asks.forCall(
      context(async (request) => {
        const { permissionID } = request.metadata as { permissionID: string };
        asked(asks, request, `oc_${permissionID}`);
        await new Promise((resolve) => setTimeout(resolve, permissionID === "per_a" ? 30 : 5));
        replied(asks, `oc_${permissionID}`, permissionID === "per_a" ? "always" : "once");
      }),
    );
    const signal = new AbortController().signal;
    const replies = await Promise.all(
      ["per_a", "per_b"].map((permissionID) => call.onAsk({ ...ask, permissionID }, signal)),
    );
    expect(replies).toEqual([{ reply: "always" }, { reply: "once" }]);
  });

  it("passes a rejection on with the user's words, and keeps OpenCode's own error for the end of the turn", async () => {
    const asks = new Asks("prod");
    const error = Object.assign(new Error("rejected"), { feedback: "use the staging file" });
    const call = asks.forCall(context(() => Promise.reject(error)));
    const reply = await call.onAsk(ask, new AbortController().signal);
    expect(reply).toEqual({ reply: "reject", message: "use the staging file" });
    expect(call.refusal()).toBe(error);
  });
});
