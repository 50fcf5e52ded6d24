// Whether an answer has the shape that its schema says. Compiled once per schema: interpreting one takes longer than a whole
// command's way through SSH.
import type { Static, TSchema } from "typebox";
import { Compile, type Validator } from "typebox/compile";

const compiled = new WeakMap<TSchema, Validator>();

export function hasShape<T extends TSchema>(schema: T, value: unknown): value is Static<T> {
  let validator = compiled.get(schema);
  if (validator === undefined) {
    validator = Compile(schema) as unknown as Validator;
    compiled.set(schema, validator);
  }
  return validator.Check(value);
}
