import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { z } from "../../lib/deps/zod.ts";
import { parseDocument } from "../../lib/deps/yaml.ts";
import { loadJob } from "../../lib/job/load.ts";
import type { JobDefinition } from "../../lib/job/job.ts";
import type { StepDefinition } from "../../lib/job/step_definition.ts";
import type { jobSchema, stepSchemas } from "../../lib/job/schema.ts";
import { type JsonSchema, taskFileJsonSchema } from "../../lib/job/schema_json.ts";
import { madeDocs } from "../support/write_docs.ts";

const root = join(import.meta.dirname!, "../..");

Deno.test("docs/task-file.md and its JSON Schema are what the schema makes of them", async () => {
  for (const [path, text] of Object.entries(await madeDocs(root))) {
    assertEquals(await Deno.readTextFile(join(root, path)), text, `${path} is behind; run deno task docs`);
  }
});

Deno.test("the example of the page is a task file", async () => {
  const page = await Deno.readTextFile(join(root, "docs/task-file.md"));
  const yaml = /```yaml\n([^]*?)```/.exec(page)![1]!;
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  try {
    await Deno.writeTextFile(file, yaml);
    const job = await loadJob(file);
    assertEquals(job.steps.map((step) => step.kind), ["exec", "copy", "template", "exec", "wait"]);
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("the JSON Schema takes the tasks that come with carpool, and finds what the schema finds", async () => {
  const editor = z.fromJSONSchema(
    JSON.parse(await Deno.readTextFile(join(root, "docs/task-file.schema.json"))),
  );
  for await (const { name } of Deno.readDir(join(root, "tasks"))) {
    const content = parseDocument(await Deno.readTextFile(join(root, "tasks", name))).toJS();
    assertEquals([name, editor.safeParse(content).success], [name, true]);
  }
  const wrong: readonly unknown[] = [
    { stpes: [] },
    { steps: [{ exec: "x", tiemout: 1 }] },
    { steps: [{ exec: "x", retries: 1.5 }] },
    { steps: [{ copy: "x" }] },
    { steps: [{ parallel: [{ confirm: "x" }] }] },
    { steps: [{ exec: "x", onFailure: [{ prompt: "x", register: "y" }] }] },
    { steps: [{ exec: "x" }], strategy: { order: "other" } },
    { steps: [{ exec: "x" }], vars: { a: { vlaue: 1 } } },
  ];
  for (const content of wrong) {
    assertEquals(editor.safeParse(content).success, false, JSON.stringify(content));
  }
});

Deno.test("every key of the task file says what it means", () => {
  const silent: string[] = [];
  const walk = (schema: JsonSchema, at: string) => {
    for (const [key, property] of Object.entries(schema.properties ?? {})) {
      if (property.description === undefined && !/\.(name|by|after)$/.test(`${at}.${key}`)) {
        silent.push(`${at}.${key}`);
      }
      walk(property, `${at}.${key}`);
    }
  };
  const schema = taskFileJsonSchema();
  walk(schema, "job");
  for (const [name, one] of Object.entries(schema.$defs)) {
    if (one.anyOf === undefined) assert(one.description !== undefined, name);
    walk(one, name);
  }
  assertEquals(silent, []);
});

// The types that people write against and the schema that checks what they wrote are two: these lines hold them together.
// A key that one has and the other has not, or a value that one takes and the other does not, does not compile.
type Writable<T> = T extends (...args: never[]) => unknown ? T
  : T extends readonly (infer Item)[] ? Writable<Item>[]
  : T extends object ? { -readonly [Key in keyof T]: Writable<T[Key]> }
  : T;
type Loose<T, Held extends PropertyKey> = { [Key in keyof T]: Key extends Held ? unknown : T[Key] };
type Same<A, B> = [A] extends [B] ? [B] extends [A] ? true : [B, "does not fit", A] : [A, "does not fit", B];
type Holding = "parallel" | "onFailure" | "steps" | "before" | "after" | "finally" | "vars";
type StepOf<Key extends string> = Extract<StepDefinition, { readonly [K in Key]: unknown }>;
type Input<Key extends keyof typeof stepSchemas> = z.input<typeof stepSchemas[Key]>;
type Alike<A, B> = Same<keyof A, keyof B> extends true ? Same<Loose<Writable<A>, Holding>, Loose<B, Holding>>
  : Same<keyof A, keyof B>;

const held: {
  readonly [Key in keyof typeof stepSchemas]: Alike<StepOf<Key>, Input<Key>>;
} = {
  exec: true,
  script: true,
  copy: true,
  template: true,
  fetch: true,
  wait: true,
  reconnect: true,
  prompt: true,
  confirm: true,
  parallel: true,
  include: true,
};
const job: Alike<JobDefinition, z.input<typeof jobSchema>> = true;

Deno.test("the types and the schema say the same", () => {
  assertEquals(Object.values(held).every((one) => one) && job, true);
});
