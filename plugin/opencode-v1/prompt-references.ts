// `@path` in the prompt that a model writes for its subagent: OpenCode would read that file on the laptop, before the plugin sees the
// message. Between backticks it is left alone (OpenCode 1.18, FILE_REGEX of config/markdown.ts).
const REFERENCE = /(?<![\w`])@(\.?[^\s`,.]*(?:\.[^\s`,.]+)*)/g;

/** The same prompt; what would lead out of the directory of the session, which is the anchor, is no reference any more. */
export function withoutLaptopFiles(prompt: string): string {
  return prompt.replace(REFERENCE, (reference, path: string) => (leaves(path) ? `\`${reference}\`` : reference));
}

function leaves(path: string): boolean {
  return path.startsWith("/") || path.startsWith("~") || path.split("/").includes("..");
}
