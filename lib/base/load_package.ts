import { CarpoolError } from "./errors.ts";

/**
 * Runs a dynamic import that needs an npm package, and explains a package that cannot be had. The import itself stays
 * with the caller, its path literal: that is what puts it into the module graph of whoever imports Carpool by URL.
 *
 * @example
 * ```ts ignore
 * const { ssh2 } = await explainMissingPackage(() => import("../deps/ssh2.ts"));
 * ```
 *
 * Throws `CarpoolError` ("missing-package").
 */
export async function explainMissingPackage<Module>(load: () => Promise<Module>): Promise<Module> {
  try {
    return await load();
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    const name = /\bnpm:\/?((?:@[\w.-]+\/)?[\w.-]+)/.exec(message)?.[1] ??
      /npm package\b[^"']*["']([^"']+)["']/.exec(message)?.[1];
    if (name === undefined) throw cause;
    // Beside a package.json Deno does not fetch packages by itself: it looks in node_modules alone.
    const local = /node_modules/.test(message);
    throw new CarpoolError("missing-package", {
      what: "Cannot load a package that Carpool needs",
      where: `npm:${name}`,
      why: local
        ? "beside a package.json, Deno looks for packages in node_modules alone"
        : message.split("\n")[0]!.replace(/\.$/, ""),
      fix: local
        ? 'put "nodeModulesDir": "auto" (or "none") into deno.json, or run with --node-modules-dir=auto'
        : "let Deno reach the npm registry once, then it is cached",
      cause,
      outcome: "not-started",
    });
  }
}
