import { JobFileError } from "../base/errors.ts";
import { explainMissingPackage } from "../base/load_package.ts";
import { nearestName } from "../base/nearest_name.ts";
import { basename, isAbsolute, join, resolve, toFileUrl } from "../deps/node_path.ts";
import type { Job } from "./job.ts";

const what = "Cannot use the task file";

const extensions = [".yaml", ".yml", ".ts"];

/** Finds, reads and checks a task file: what `loadJob` does. */
export async function readTask(pathOrName: string, cwd: string): Promise<Job> {
  const file = await findTask(pathOrName, cwd);
  const path = isAbsolute(file) ? file : resolve(cwd, file);
  const { checkJob } = await explainMissingPackage(() => import("./check.ts"));
  if (path.endsWith(".ts")) {
    let module: { default?: unknown };
    try {
      module = await import(toFileUrl(path).href);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new JobFileError({ what, where: file, why: `it does not load: ${why}`, cause });
    }
    if (module.default === undefined) {
      throw new JobFileError({
        what,
        where: file,
        why: "it has no default export",
        fix: "end it with export default job({ … })",
      });
    }
    return checkJob(module.default, file);
  }
  const { readYaml } = await import("./yaml_text.ts");
  const { content, locate } = await readYaml(await readBytes(path, file), file, what);
  return checkJob(content, file, locate);
}

async function readBytes(path: string, file: string): Promise<Uint8Array> {
  try {
    return await Deno.readFile(path);
  } catch (cause) {
    const why = cause instanceof Deno.errors.NotFound
      ? "no such file"
      : cause instanceof Error
      ? cause.message
      : String(cause);
    throw new JobFileError({ what, where: file, why, cause });
  }
}

async function findTask(pathOrName: string, cwd: string): Promise<string> {
  const isPath = /[\/\\]/.test(pathOrName) || extensions.some((ending) => pathOrName.endsWith(ending));
  if (isPath) return pathOrName;
  const known: string[] = [];
  try {
    for await (const entry of Deno.readDir(join(cwd, "tasks"))) {
      const ending = extensions.find((candidate) => entry.name.endsWith(candidate));
      if (ending !== undefined && !entry.isDirectory) known.push(entry.name);
    }
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
  }
  for (const ending of extensions) {
    if (known.includes(pathOrName + ending)) return join("tasks", pathOrName + ending);
  }
  const names = known.map((name) => basename(name).replace(/\.[a-z]+$/, "")).sort();
  const nearest = nearestName(pathOrName, names);
  throw new JobFileError({
    what: "Cannot find the task",
    where: pathOrName,
    why: names.length === 0
      ? "there is no task in tasks/"
      : `no tasks/${pathOrName}{${extensions.join(",")}}`,
    fix: nearest
      ? `did you mean ${JSON.stringify(nearest)}?`
      : names.length > 0
      ? `known tasks: ${names.join(", ")}`
      : "give a path, or make the folder",
  });
}
