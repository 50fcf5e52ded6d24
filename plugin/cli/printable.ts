// Text that came from a host, a file or an argument, on its way to a terminal: no control sequence gets through.

/** Control characters (C0, C1, DEL) and invisible direction marks become `?`; line ends and tabs become spaces. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
  const controls = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
  return text.replace(/[\r\n\t]+/g, " ").replace(controls, "?");
}
