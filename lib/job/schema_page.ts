import { actionStepKeys, type JsonSchema, taskFileJsonSchema } from "./schema_json.ts";

/** The reference page of the task file, from the schema and the words around it. */
export function taskFilePage(words: string): string {
  const schema = taskFileJsonSchema();
  const step = (key: string) => schema.$defs[`${key}Step`]!;
  const common = Object.keys(step("fetch").properties ?? {}).filter((key) => !["fetch", "to"].includes(key));
  const conditions = ["name", "when", "tags"];
  const own = (key: string) => {
    const properties = step(key).properties ?? {};
    const left = Object.entries(properties).filter(([name]) =>
      !((actionStepKeys as readonly string[]).includes(key) ? common : conditions).includes(name)
    );
    return table({ ...step(key), properties: Object.fromEntries(left) });
  };
  const keys = Object.keys(schema.$defs).filter((name) => name.endsWith("Step") && name !== "actionStep").map(
    (name) => name.replace(/Step$/, ""),
  );
  const parts: Readonly<Record<string, () => string>> = {
    job: () => table(schema),
    strategy: () => table(schema.properties!.strategy!),
    vars: () => table(mapsIn(schema.properties!.vars!.additionalProperties as JsonSchema)),
    conditions: () => table(pick(step("fetch"), conditions)),
    common: () => table(pick(step("fetch"), common.filter((key) => !conditions.includes(key)))),
    steps: () =>
      keys.map((key) => `### ${key}\n\n${step(key).description ?? ""}\n\n${own(key)}`).join("\n\n"),
    wait: () => table(step("wait").properties!.wait!),
  };
  return words.replace(/^<!-- (\w+) -->$/gm, (_, name: string) => parts[name]?.() ?? unknownPart(name));
}

function unknownPart(name: string): never {
  throw new TypeError(`the page has no part ${name}`);
}

function pick(schema: JsonSchema, keys: readonly string[]): JsonSchema {
  const entries = Object.entries(schema.properties ?? {}).filter(([key]) => keys.includes(key));
  return { properties: Object.fromEntries(entries) };
}

function mapsIn(schema: JsonSchema): JsonSchema {
  return schema.anyOf?.find((branch) => branch.properties !== undefined) ?? schema;
}

function table({ properties = {}, required = [] }: JsonSchema): string {
  const rows = Object.entries(properties).map(([name, property]) => {
    const mark = required.includes(name) ? "required" : defaultOf(property);
    return `| \`${name}\` | ${typeOf(name, property)} | ${mark} | ${escape(property.description ?? "")} |`;
  });
  return ["| key | value | default | meaning |", "| --- | --- | --- | --- |", ...rows].join("\n");
}

function defaultOf({ default: value }: JsonSchema): string {
  const empty = value === undefined || value !== null && typeof value === "object";
  return empty ? "" : `\`${String(value)}\``;
}

const durations = new Set(["timeout", "delay", "interval", "after"]);

function typeOf(name: string, property: JsonSchema): string {
  if (durations.has(name) && property.type !== "array") return "duration";
  if (name === "when") return "expression";
  if (property.enum) return property.enum.map((one) => `\`${String(one)}\``).join(", ");
  if (property.const !== undefined) return `\`${String(property.const)}\``;
  if (property.anyOf) return [...new Set(property.anyOf.map((branch) => typeOf(name, branch)))].join(" or ");
  if (property.$ref !== undefined) return "step";
  if (property.type === undefined) return "anything";
  const types = typeof property.type === "string" ? [property.type] : property.type;
  return types.map((type) => plainTypes[type] ?? type).join(", ") +
    (property.type === "array" && property.items?.$ref ? " of steps" : "");
}

const plainTypes: Readonly<Record<string, string>> = {
  string: "text",
  integer: "whole number",
  boolean: "true or false",
  array: "list",
  object: "map",
  null: "null",
};

function escape(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("<", "&lt;").replaceAll("*", "\\*");
}
