// What both sides compare before they trust each other to speak the same language.

/** Version of this package; esbuild replaces it, the fallback serves tests that run from source. */
declare const __PACKAGE_VERSION__: string | undefined;
export const PACKAGE_VERSION: string = typeof __PACKAGE_VERSION__ === "string" ? __PACKAGE_VERSION__ : "0.1.0";

/** `major` changes when an older plugin could no longer use a newer stub; `minor` when something was added. */
export const PROTOCOL = { major: 1, minor: 0 } as const;

/** An older plugin uses a newer stub as long as the major number is the same. */
export function isCompatible(remote: { major: number }): boolean {
  return remote.major === PROTOCOL.major;
}

/** Negative, 0 or positive; dotted numbers, what follows - or + is ignored. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => (text.split(/[-+]/)[0] ?? "").split(".").map(Number)) as [
    number[],
    number[],
  ];
  for (let index = 0; index < Math.max(left.length, right.length); index += 1) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
