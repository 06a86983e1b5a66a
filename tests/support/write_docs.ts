/** Writes what docs/ has of the task file: `deno task docs`. */
import { join } from "@std/path";
import { taskFileJsonSchema } from "../../lib/job/schema_json.ts";
import { taskFilePage } from "../../lib/job/schema_page.ts";

/** The files that are made, by their paths below the repository. */
export async function madeDocs(root: string): Promise<Readonly<Record<string, string>>> {
  const words = await Deno.readTextFile(join(root, "docs/task-file.words.md"));
  return {
    "docs/task-file.md": taskFilePage(words),
    "docs/task-file.schema.json": `${JSON.stringify(taskFileJsonSchema(), null, 2)}\n`,
  };
}

if (import.meta.main) {
  const root = join(import.meta.dirname!, "../..");
  for (const [path, text] of Object.entries(await madeDocs(root))) {
    await Deno.writeTextFile(join(root, path), text);
    console.log(path);
  }
}
