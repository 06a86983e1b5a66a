/** The npm package ssh2 in a `node_modules` of its own, so that node can run it. */
import { CarpoolError } from "../../lib/base/errors.ts";
import { run } from "../../tests/support/run.ts";

/** The pin of lib/deps/ssh2.ts: the same package that Carpool's own link uses. */
export async function pinnedSsh2(): Promise<string> {
  const text = await Deno.readTextFile(new URL("../../lib/deps/ssh2.ts", import.meta.url));
  return /npm:ssh2@([\d.]+)/.exec(text)![1];
}

/**
 * Installs it below `dir`, once. Its optional native part (a compiled ChaCha20-Poly1305 and AES-GCM) needs a compiler
 * and node's headers, and is left out, as it is for whoever installs with `--ignore-scripts`.
 *
 * @throws {CarpoolError} `no-package` when the registry cannot be reached
 */
export async function ssh2Modules(
  dir: string,
): Promise<{ readonly folder: string; readonly version: string }> {
  const version = await pinnedSsh2();
  const folder = `${dir}/ssh2-${version}`;
  const done = `${folder}/node_modules/ssh2/package.json`;
  if (await Deno.stat(done).then(() => true, () => false)) return { folder, version };
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(`${folder}/package.json`, JSON.stringify({ dependencies: { ssh2: version } }));
  await Deno.writeTextFile(`${folder}/deno.json`, JSON.stringify({ nodeModulesDir: "auto", lock: false }));
  const { success, stderr } = await run(Deno.execPath(), ["install", "--quiet"], { cwd: folder });
  if (success && await Deno.stat(done).then(() => true, () => false)) return { folder, version };
  throw new CarpoolError("no-package", {
    what: "Cannot install ssh2 for node",
    where: folder,
    why: stderr.trim().split("\n").at(-1) || "deno install made no node_modules",
  });
}
