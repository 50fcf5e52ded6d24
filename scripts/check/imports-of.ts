// What one source file imports, types included.
import { dirname, join, normalize } from "node:path";
import { parseSync } from "oxc-parser";

/**
 * `import`, `export … from` and `import("…")` of a TypeScript file. Relative ones as paths of the checkout, `.ts` for `.js`;
 * packages as they are. Throws on text that does not parse.
 */
export function importsOf(file: string, text: string): string[] {
  const { module, errors } = parseSync(file, text);
  if (errors[0] !== undefined) throw new Error(`${file}: ${errors[0].message}`);
  const specifiers = [
    ...module.staticImports.map((each) => each.moduleRequest.value),
    ...module.staticExports.flatMap((each) => each.entries.flatMap((entry) => entry.moduleRequest?.value ?? [])),
    ...module.dynamicImports.flatMap(({ moduleRequest: { start, end } }) => {
      const literal = /^["'`](.*)["'`]$/.exec(text.slice(start, end));
      return literal?.[1] ?? [];
    }),
  ];
  return specifiers.map((specifier) =>
    specifier.startsWith(".") ? normalize(join(dirname(file), specifier)).replace(/\.js$/, ".ts") : specifier,
  );
}
