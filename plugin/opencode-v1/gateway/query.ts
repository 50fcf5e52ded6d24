// What a request asks for, checked as OpenCode checks it and refused in its words.

/** What the client sent does not fit. */
export class BadQuery extends Error {}

/** These throw `BadQuery`. */
export function required(query: URLSearchParams, name: string): string {
  const value = query.get(name);
  if (value === null) throw new BadQuery(`Missing key\n  at ["${name}"]`);
  return value;
}

export function oneOf<T extends string>(query: URLSearchParams, name: string, values: readonly T[]): T | undefined {
  const value = query.get(name);
  if (value === null) return undefined;
  if ((values as readonly string[]).includes(value)) return value as T;
  const wanted = values.map((each) => JSON.stringify(each)).join(" | ");
  throw new BadQuery(`Expected ${wanted}, got ${JSON.stringify(value)}\n  at ["${name}"]`);
}

export function integer(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (Number.isSafeInteger(value)) return value;
  throw new BadQuery(`Expected an integer, got ${value}\n  at ["${name}"]`);
}

export function within(name: string, value: number | undefined, most: number): number | undefined {
  if (value === undefined) return undefined;
  if (value < 1) throw new BadQuery(`Expected a value greater than or equal to 1, got ${value}\n  at ["${name}"]`);
  if (value > most)
    throw new BadQuery(`Expected a value less than or equal to ${most}, got ${value}\n  at ["${name}"]`);
  return value;
}

export function positive(name: string, value: number | undefined): number | undefined {
  if (value === undefined || value > 0) return value;
  throw new BadQuery(`Expected a value greater than 0, got ${value}\n  at ["${name}"]`);
}

export function nonNegative(name: string, value: number | undefined): number | undefined {
  if (value === undefined || value >= 0) return value;
  throw new BadQuery(`Expected a value greater than or equal to 0, got ${value}\n  at ["${name}"]`);
}
