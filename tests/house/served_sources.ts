import { join } from "@std/path";
import { root } from "./source_files.ts";

/** Serves the sources as a code host would: raw files, no import map, no configuration. */
export function serveSources():
  & { readonly origin: string; readonly requested: Set<string> }
  & AsyncDisposable {
  const requested = new Set<string>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async ({ url }) => {
    const { pathname } = new URL(url);
    requested.add(pathname);
    const type = /^\/(?:mod|lib\/[\w./]+)\.(ts|js)$/.exec(pathname)?.[1];
    if (type === undefined) {
      return new Response(null, { status: 404 });
    }
    try {
      const text = await Deno.readTextFile(join(root, pathname));
      return new Response(text, {
        headers: { "content-type": `application/${type === "ts" ? "typescript" : "javascript"}` },
      });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      return new Response(null, { status: 404 });
    }
  });
  const origin = `127.0.0.1:${server.addr.port}`;
  return { origin, requested, [Symbol.asyncDispose]: () => server.shutdown() };
}
