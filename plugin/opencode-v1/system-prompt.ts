// What the model is told about where it works: the host, its directory, its instructions. The anchor's own path, and
// where the user's files lie on the laptop, never reach it. Pure.

import { enforcementText } from "../runner/enforcement-text.js";
import type { HostFacts } from "../runner/runner.js";
import { printable } from "./printable.js";

export interface PromptPlace {
  /** Name of the host, as the user calls it. */
  host: string;
  /** The directory as the user named it, until the host has told its canonical one. */
  directory: string;
  /** Local paths of the anchor, as OpenCode may spell them; longest first. */
  anchors: string[];
  facts?: HostFacts;
  /** Why the host cannot be used. */
  failure?: string;
}

/** Tells a text that is done already: two copies of the plugin may be loaded. */
const HOST_LINE = "  Host: ";

/** The system texts for the host; applied twice they stay the same. */
export function systemForHost(system: string[], place: PromptPlace): string[] {
  const directory = place.facts?.directory ?? place.directory;
  return system.map((text) => {
    if (text.includes(HOST_LINE)) return text;
    const shown = withoutLaptop(text, place.anchors, directory);
    return shown.replace(/<env>\n([\s\S]*?)<\/env>/, (_, lines: string) => {
      const date = /^\s*Today's date:.*$/m.exec(lines)?.[0];
      return environment(place, directory, date) + instructions(place);
    });
  });
}

function environment(place: PromptPlace, directory: string, date: string | undefined): string {
  const { facts, host } = place;
  const at = facts ? `${host} (${facts.user}@${facts.hostname}, ${facts.arch})` : host;
  return [
    "<env>",
    `  Working directory: ${printable(directory)}`,
    `  Workspace root folder: ${printable(directory)}`,
    `${HOST_LINE}${printable(at)}, over SSH: every file and every command of your tools is there, none on the user's own machine`,
    `  Platform: ${printable(facts?.platform ?? "linux")}`,
    ...(facts ? [`  Commands there: ${printable(enforcementText(facts.enforcement))}`] : []),
    ...(date ? [date] : []),
    ...(place.failure ? [`  The host cannot be used at the moment: ${printable(place.failure)}`] : []),
    "</env>",
  ].join("\n");
}

/** Text of the host's project: shown, labelled as its own, never executed. */
function instructions(place: PromptPlace): string {
  return (place.facts?.instructions ?? [])
    .map(
      ({ path, text }) =>
        `\nInstructions from: ${printable(path)} (a file of the project on ${printable(place.host)})\n${text}`,
    )
    .join("\n");
}

function withoutLaptop(text: string, anchors: string[], directory: string): string {
  let shown = text;
  for (const anchor of anchors) shown = shown.replaceAll(anchor, () => directory);
  return shown
    .replace(/^Instructions from: (?:\/|[A-Za-z]:\\).*\/([^/\n]+)$/gm, (line, name: string) =>
      line.startsWith(`Instructions from: ${directory}/`) ? line : `Instructions from: the user's own ${name}`,
    )
    .replace(/<location>file:[^<]*<\/location>/g, "<location>on the user's own machine</location>")
    .replace(/(<reference>[\s\S]*?<path>)[^<]*(<\/path>)/g, "$1on the user's own machine, out of reach$2");
}
