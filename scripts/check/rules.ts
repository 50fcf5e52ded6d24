// The import directions (docs/architecture.md, "The tree, as a story") as a pure function over one import.
// Types count like values: a layer that names another's types knows it.

export interface Import {
  /** Path of the importing file, relative to the checkout, for example `plugin/runner/ssh/session.ts`. */
  from: string;
  /** The imported file in the same form, or the specifier of a package (`typebox`, `node:fs`). */
  to: string;
}

/** Composition roots: they put the layers together, so they may import all of their side. */
const ROOTS = ["plugin/index.ts", "plugin/compose.ts", "plugin/cli/main.ts"];

/** Below stub/routes, but no routes: what they share to read a request. */
const NO_ROUTES = ["stub/routes/typed.ts", "stub/routes/file-context.ts", "stub/routes/client-gone.ts"];

/** What a layer of the plugin may import beside itself and protocol/. A folder, or one file of it. */
const PLUGIN_LAYERS: Record<string, string[]> = {
  waiting: [],
  http: [],
  ssh: ["waiting", "config/destination.ts", "config/pattern.ts"],
  config: ["ssh/transport.ts"],
  laptop: [],
  bootstrap: ["waiting", "ssh/transport.ts", "laptop", "runner/runner.ts", "tunnel/link.ts"],
  tunnel: ["waiting", "http", "bootstrap", "ssh", "laptop", "runner/runner.ts"],
  "stub-client": ["waiting", "http", "tunnel/link.ts"],
  runner: ["waiting", "stub-client", "tunnel/link.ts"],
  "opencode-v1": ["runner", "compose.ts", "config", "laptop"],
  cli: [
    "runner",
    "compose.ts",
    "config",
    "laptop",
    "opencode-v1/anchor.ts",
    "opencode-v1/anchor-path.ts",
    "opencode-v1/gateway/gateway.ts",
  ],
};

/** The reason why this import is refused; undefined where it is fine. */
export function refuse({ from, to }: Import): string | undefined {
  const [side = "", layer = ""] = from.split("/");
  const [targetSide = "", targetLayer = ""] = to.split("/");
  const internal = ["plugin", "stub", "protocol"].includes(targetSide);

  if (side === "protocol") {
    if (internal) return targetSide === "protocol" ? undefined : "protocol imports neither side";
    return to === "typebox" ? undefined : "protocol does no I/O: typebox only";
  }
  if (!internal)
    return /^(test|bench|demo|scripts)\//.test(to) ? "the product does not import its tests or tools" : undefined;
  if (targetSide === "protocol") return undefined;
  if (targetSide !== side) return "plugin and stub meet in protocol only";

  if (side === "stub") {
    if (layer === "routes" && targetLayer === "routes" && !NO_ROUTES.includes(to)) return "routes never import routes";
    return undefined;
  }
  if (ROOTS.includes(from) || layer === targetLayer) return undefined;
  const allowed = PLUGIN_LAYERS[layer];
  if (allowed === undefined) return `plugin/${layer} is not in the table of layers (scripts/check/rules.ts)`;
  const target = to.slice("plugin/".length);
  if (allowed.some((entry) => target === entry || target.startsWith(`${entry}/`))) return undefined;
  return `plugin/${layer} may import ${allowed.length === 0 ? "nothing but protocol" : allowed.join(", ")}`;
}
