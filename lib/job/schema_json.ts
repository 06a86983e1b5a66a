import { z } from "../deps/zod.ts";
import { jobSchema, stepSchemas } from "./schema.ts";

/** A piece of JSON Schema, as far as we look into it. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly anyOf?: readonly JsonSchema[];
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly required?: readonly string[];
  readonly $ref?: string;
}

/** The keys of steps that a group, and `onFailure`, may hold. */
export const actionStepKeys = ["exec", "script", "copy", "template", "fetch", "wait"] as const;

const stepRef = { $ref: "#/$defs/step" };
const actionRef = { $ref: "#/$defs/actionStep" };

/** The JSON Schema of a task file, for editors. */
export function taskFileJsonSchema(): JsonSchema & { readonly $defs: Readonly<Record<string, JsonSchema>> } {
  const steps = Object.fromEntries(
    Object.entries(stepSchemas).map(([key, schema]) => [`${key}Step`, stepOf(schema)]),
  );
  const refs = (keys: readonly string[]) => keys.map((key) => ({ $ref: `#/$defs/${key}Step` }));
  const job = plain(jobSchema);
  const properties = { ...job.properties };
  for (const section of ["before", "steps", "after", "finally"]) {
    properties[section] = { ...properties[section], items: stepRef };
  }
  return {
    ...{ $schema: "https://json-schema.org/draft/2020-12/schema", title: "Carpool task file" },
    ...job,
    properties,
    $defs: {
      step: { anyOf: refs(Object.keys(stepSchemas)) },
      actionStep: { anyOf: refs(actionStepKeys) },
      ...steps,
    },
  };
}

function stepOf(schema: z.ZodType): JsonSchema {
  const { properties = {}, ...rest } = plain(schema);
  const held = Object.fromEntries(
    ["parallel", "onFailure"].flatMap((key) =>
      properties[key]?.type === "array" ? [[key, { ...properties[key], items: actionRef }]] : []
    ),
  );
  return { ...rest, properties: { ...properties, ...held } };
}

/** What a schema takes, without what only TypeScript can write. */
function plain(schema: z.ZodType): JsonSchema {
  const { $schema: _, ...made } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return withoutAnything(made as JsonSchema) as JsonSchema;
}

/** A function of a `.ts` file comes out as a schema that takes anything; it would make the others mean nothing. */
function withoutAnything(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutAnything);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).map(([key, one]) => {
    const kept = key === "anyOf" && Array.isArray(one)
      ? one.filter((branch: object) => Object.keys(branch).length > 0)
      : one;
    return [key, withoutAnything(kept)];
  });
  const { anyOf, ...rest } = Object.fromEntries(entries) as { anyOf?: readonly object[] };
  if (anyOf === undefined) return rest;
  return anyOf.length === 1 ? { ...rest, ...anyOf[0] } : { ...rest, anyOf };
}
