import { JobFileError } from "../base/errors.ts";
import { systemWhy } from "../base/system_why.ts";
import type { InventoryContent } from "./inventory_content.ts";
import { readJson } from "./inventory_json.ts";
import { cannotUse } from "./load_inventory.ts";

/** A cloud's answer may take a while; a program that waits for nothing must not hold a run for ever. */
const DEADLINE_MS = 120_000;

/** Programs of the old kind are asked for each host. */
const AT_ONCE = 8;

/**
 * Runs a program that prints an inventory: with `--list`, as Ansible runs its dynamic inventories; where its
 * answer has no `_meta.hostvars`, with `--host NAME` for each host.
 *
 * @throws {JobFileError} when it fails, or prints something else.
 */
export async function runInventoryCommand(path: string, file: string): Promise<InventoryContent> {
  const { made, hasHostVars } = readJson(await run(path, ["--list"], file), `the output of ${file}`);
  if (!hasHostVars) {
    const waiting = [...made.hosts.keys()].values();
    const ask = async () => {
      for (const host of waiting) {
        const text = await run(path, ["--host", host], file);
        if (text.trim() === "") continue;
        const where = `the output of ${file} --host ${host}`;
        const answer = readJson(`{"_meta": {"hostvars": {"host": ${text}}}}`, where);
        made.host(host, answer.made.hosts.get("host")?.vars);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, ask));
  }
  return made.done(file, (group) => ({ where: `the output of ${file}: ${group}` }));
}

async function run(path: string, args: readonly string[], file: string): Promise<string> {
  const where = [file, ...args].join(" ");
  const signal = AbortSignal.timeout(DEADLINE_MS);
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command(path, {
      args: [...args],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      signal,
    }).output();
  } catch (cause) {
    const denied = cause instanceof Deno.errors.NotCapable;
    throw new JobFileError({
      what: cannotUse,
      where,
      why: denied
        ? "this program may not run it"
        : cause instanceof Deno.errors.NotFound
        ? "the program that its #! line names is not there"
        : systemWhy(cause),
      fix: denied ? `allow it: --allow-run=${path}` : undefined,
      cause,
    });
  }
  if (!output.success) {
    const said = new TextDecoder().decode(output.stderr).trim().split("\n").at(-1)?.slice(0, 200);
    const status = signal.aborted
      ? `it did not end within ${DEADLINE_MS / 1000} s`
      : output.signal === null
      ? `it ended with status ${output.code}`
      : `${output.signal} ended it`;
    throw new JobFileError({ what: cannotUse, where, why: said ? `${status}: ${said}` : status });
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(output.stdout);
  } catch (cause) {
    throw new JobFileError({ what: cannotUse, where, why: "its output is not UTF-8 text", cause });
  }
}
