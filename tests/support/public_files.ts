/** Files that another user must be able to read, wherever the project lies. */
import { basename, dirname, join, relative } from "@std/path";
import { CarpoolError } from "../../lib/base/errors.ts";
import type { Tool } from "./tools.ts";

/** A temporary directory, mode 0755, at a place that every user can reach. */
export async function publicTempDir(prefix: string): Promise<string> {
  const candidates = [Deno.env.get("TMPDIR"), "/tmp", "/var/tmp"].filter((dir) => dir !== undefined);
  for (const parent of candidates) {
    if (!await isPublic(parent)) continue;
    const dir = await Deno.makeTempDir({ dir: await Deno.realPath(parent), prefix });
    await Deno.chmod(dir, 0o755);
    return dir;
  }
  throw new CarpoolError("no-temp-dir", {
    what: "Cannot make a temporary directory that another user can reach",
    where: candidates.join(", "),
    why: "each lies below a directory that is closed to others",
    fix: "set TMPDIR to one that is not",
  });
}

/** `tool` at a path that every user can reach: itself, or where that is needed a copy of its tree in `into`. */
export async function exposeTool(tool: Tool, into: string, needed: boolean): Promise<Tool> {
  if (!needed || tool.root === undefined || await isPublic(tool.root)) return tool;
  const root = join(into, basename(tool.root));
  await copyTree(tool.root, root);
  const moved = (path: string) => path.split(":").map((part) => rebase(part, tool.root!, root)).join(":");
  const env = Object.entries(tool.env).map(([name, value]) => [name, moved(value)]);
  return { path: moved(tool.path), env: Object.fromEntries(env), root };
}

function rebase(path: string, from: string, to: string): string {
  const rest = relative(from, path);
  return rest.startsWith("..") ? path : join(to, rest);
}

/** Whether every directory from `/` to `path` lets others through. */
async function isPublic(path: string): Promise<boolean> {
  try {
    for (let dir = await Deno.realPath(path);; dir = dirname(dir)) {
      if (((await Deno.stat(dir)).mode ?? 0) % 2 === 0) return false;
      if (dir === dirname(dir)) return true;
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function copyTree(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true, mode: 0o755 });
  for await (const { name, isDirectory, isSymlink } of Deno.readDir(from)) {
    const [source, target] = [join(from, name), join(to, name)];
    if (isDirectory) await copyTree(source, target);
    else if (isSymlink) await Deno.symlink(await Deno.readLink(source), target);
    else await Deno.copyFile(source, target);
  }
}
