// From the options that the user wrote to a PluginConfig that the rest can trust; whatever is wrong is named by its path.
import { Value } from "typebox/value";
import { RemoteError } from "../../protocol/errors.js";
import { type HostConfig, NAME, PluginConfig } from "./schema.js";

const NAME_RULE = "must be letters and digits, and . _ - after the first";

/** `undefined` and `null` mean: no options, all defaults. Throws `config_invalid` with the path in the message; `file` is for its hint. */
export function parseConfig(options: unknown, file?: string): PluginConfig {
  try {
    return parse(options);
  } catch (error) {
    if (!(error instanceof RemoteError) || file === undefined) throw error;
    throw new RemoteError(error.code, error.message, {
      hint: `correct this in the options of the plugin in ${file}`,
      details: error.details,
      cause: error,
    });
  }
}

function parse(options: unknown): PluginConfig {
  const config: unknown = Value.Default(PluginConfig, structuredClone(options ?? {}));
  const problem = firstProblem(config);
  if (problem !== undefined) throw invalid(problem.path, problem.message);
  const parsed = Value.Parse(PluginConfig, config);
  checkRange(parsed);
  checkNames(parsed);
  return parsed;
}

/** Every configured host with its provider, in the order of the configuration. */
export function configuredHosts(config: PluginConfig): { provider: string; host: HostConfig }[] {
  return Object.entries(config.providers).flatMap(([provider, { hosts }]) => hosts.map((host) => ({ provider, host })));
}

function checkRange(config: PluginConfig): void {
  const [first, last] = config.tunnel.localPortRange;
  if (first > last) throw invalid("tunnel.localPortRange", `the first port, ${first}, is above the last, ${last}`);
}

function checkNames(config: PluginConfig): void {
  const taken = new Map<string, string>();
  for (const [provider, { hosts }] of Object.entries(config.providers)) {
    if (!new RegExp(NAME).test(provider)) throw invalid(formatPath(["providers", provider]), NAME_RULE);
    for (const [index, host] of hosts.entries()) {
      const at = `${formatPath(["providers", provider, "hosts"])}[${index}]`;
      const names = [[`${at}.name`, host.name], ...host.aliases.map((alias, i) => [`${at}.aliases[${i}]`, alias])];
      for (const [path = at, name = ""] of names) {
        const earlier = taken.get(name);
        if (earlier !== undefined) throw invalid(path, `"${name}" is already used at ${earlier}`);
        taken.set(name, path);
      }
      const variable = Object.keys(host.env).find((each) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(each));
      if (variable !== undefined) throw invalid(join(`${at}.env`, variable), "is not the name of a variable");
    }
  }
}

interface Problem {
  path: string;
  message: string;
}

/** The first schema error, in words: TypeBox reports each branch of a union and each unknown key twice. */
function firstProblem(config: unknown): Problem | undefined {
  const errors = Value.Errors(PluginConfig, config);
  const error = errors[0];
  if (error === undefined) return undefined;
  const path = formatPath(pointerParts(error.instancePath));
  if (error.keyword === "boolean") return { path, message: "unknown key" };
  if (error.keyword === "required") {
    const missing = error.params.requiredProperties.join(", ");
    return { path: join(path, error.params.requiredProperties[0] ?? ""), message: `missing: ${missing}` };
  }
  const same = errors.filter((each) => each.instancePath === error.instancePath);
  const allowed = same.flatMap((each) => (each.keyword === "const" ? [JSON.stringify(each.params.allowedValue)] : []));
  if (allowed.length > 0) {
    const other = same.find((each) => each.keyword === "type");
    const words = allowed.length === 1 ? `must be ${allowed[0]}` : `must be one of ${allowed.join(", ")}`;
    return { path, message: other === undefined ? words : `${other.message} or ${words}` };
  }
  if (error.keyword === "pattern") return { path, message: NAME_RULE };
  return { path, message: error.message };
}

function pointerParts(pointer: string): string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** `["providers", "default", "hosts", "0"]` → `providers.default.hosts[0]`. */
function formatPath(parts: string[]): string {
  return parts.reduce((path, part) => (/^\d+$/.test(part) ? `${path}[${part}]` : join(path, part)), "");
}

function join(path: string, part: string): string {
  return path === "" ? part : `${path}.${part}`;
}

function invalid(path: string, message: string): RemoteError {
  return new RemoteError("config_invalid", `${path === "" ? "the plugin's options" : path}: ${message}`, {
    details: { path },
  });
}
