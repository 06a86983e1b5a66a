import { JobFileError } from "../base/errors.ts";
import { explainMissingPackage } from "../base/load_package.ts";
import { nearestName } from "../base/nearest_name.ts";
import { systemWhy } from "../base/system_why.ts";
import { basename, dirname, isAbsolute, join, resolve, toFileUrl } from "../deps/node_path.ts";
import type { TaskDocument } from "./check.ts";
import type { DocumentPath } from "./issues.ts";
import type { Job } from "./job.ts";
import { JobProblemsError } from "./problems.ts";

const what = "Cannot use the task file";

const extensions = [".yaml", ".yml", ".ts"];

/** Finds, reads and checks a task file: what `loadJob` does. */
export async function readTask(pathOrName: string, cwd: string): Promise<Job> {
  const file = await findTask(pathOrName, cwd);
  const document = await readDocument(file, cwd, []);
  const { checkJob } = await explainMissingPackage(() => import("./check.ts"));
  return checkJob(document.content, file, document.locate, document.includes);
}

/** Reads a task file and those that it includes; `above` are the files that include it. */
async function readDocument(file: string, cwd: string, above: readonly string[]): Promise<TaskDocument> {
  const path = isAbsolute(file) ? file : resolve(cwd, file);
  const { content, locate } = path.endsWith(".ts")
    ? await readModule(path, file)
    : await readText(path, file);
  const includes = new Map<string, TaskDocument>();
  for (const { path: at, include } of includesIn(content)) {
    if (includes.has(include)) continue;
    const other = join(dirname(file), include);
    const inner = isAbsolute(include) ? include : other;
    const chain = [...above, path];
    const wanted = isAbsolute(inner) ? inner : resolve(cwd, inner);
    const tell = (why: string, fix?: string, cause?: unknown) =>
      new JobProblemsError(
        what,
        [{ ...locate(at, "value"), why, ...(fix === undefined ? {} : { fix }) }],
        cause,
      );
    if (chain.includes(wanted)) {
      const names = [...chain.slice(chain.indexOf(wanted)), wanted].map((one) => basename(one));
      throw tell(`the file includes itself: ${names.join(" > ")}`, "take one of them out");
    }
    try {
      includes.set(include, await readDocument(inner, cwd, chain));
    } catch (error) {
      if (error instanceof JobFileError && error.where === inner && error.why === noFile) {
        throw tell(`no such file: ${JSON.stringify(include)}`, `looked for ${wanted}`, error);
      }
      throw error;
    }
  }
  return { content, file, locate, includes };
}

/** Every `include` of a task file, before anything else of it is known to be right. */
function includesIn(content: unknown): { readonly path: DocumentPath; readonly include: string }[] {
  const job = content as Readonly<Record<string, unknown>> | null | undefined;
  return ["before", "steps", "after", "finally"].flatMap((section) => {
    const listed = job?.[section];
    if (!Array.isArray(listed)) return [];
    return listed.flatMap((step: { readonly include?: unknown } | null, i) =>
      typeof step?.include === "string" && step.include !== ""
        ? [{ path: [section, i, "include"], include: step.include }]
        : []
    );
  });
}

async function readModule(path: string, file: string) {
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
  const { locateInObject } = await explainMissingPackage(() => import("./check.ts"));
  return { content: module.default, locate: locateInObject(file) };
}

async function readText(path: string, file: string) {
  const { readYaml } = await import("./yaml_text.ts");
  return await readYaml(await readBytes(path, file), file, what);
}

const noFile = "no such file";

async function readBytes(path: string, file: string): Promise<Uint8Array> {
  try {
    return await Deno.readFile(path);
  } catch (cause) {
    const isFolder = cause instanceof Deno.errors.IsADirectory || /is a directory/i.test(String(cause));
    const why = cause instanceof Deno.errors.NotFound
      ? noFile
      : isFolder
      ? "it is a folder"
      : systemWhy(cause);
    const fix = isFolder ? "name a task file in it" : undefined;
    throw new JobFileError({ what, where: file, why, fix, cause });
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
