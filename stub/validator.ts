// Checks requests against their TypeBox schemas. Made when a schema is first used, and without Ajv, which Fastify would load
// otherwise: both are memory and time of every start.
import type { FastifySchemaCompiler } from "fastify";
import type { TSchema } from "typebox";
import { Compile, type Validator } from "typebox/compile";
import { Convert } from "typebox/value";

/** Bodies are what they are; queries, params and headers come as text and are converted first. */
export const compileWhenUsed: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  let validator: Validator | undefined;
  return (value: unknown) => {
    validator ??= Compile(schema);
    if (validator.Check(value)) return { value }; // most need no conversion, which takes ten times as long
    if (httpPart === "body") return { error: validator.Errors(value) as never };
    const converted = Convert(schema, value);
    if (validator.Check(converted)) return { value: converted };
    return { error: validator.Errors(converted) as never };
  };
};
