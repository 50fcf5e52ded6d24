// The %-tokens and ${VARIABLES} that ssh_config allows in paths.
import { RemoteError } from "../../protocol/errors.js";

/** By letter: `d` home, `h` host, `u` local user, `r` remote user… `%%` is a percent sign. */
export type Tokens = Record<string, string>;

/** Throws `config_invalid` for a token or variable that does not exist, as ssh refuses it. */
export function expandTokens(text: string, tokens: Tokens, env: Record<string, string | undefined>): string {
  return text.replace(/%(.?)|\$\{([^}]*)\}/g, (whole, letter: string | undefined, variable: string | undefined) => {
    const value = variable !== undefined ? env[variable] : letter === "%" ? "%" : tokens[letter ?? ""];
    if (value === undefined)
      throw new RemoteError("config_invalid", `ssh_config: "${whole}" in "${text}" has no value`);
    return value;
  });
}
