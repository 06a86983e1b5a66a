import type { Chart } from "./charts.ts";
import { parse, View } from "../../lib/deps/vega.ts";
import { compile } from "../../lib/deps/vega_lite.ts";

/** Only errors: vega warns of every scale that it has to guess. */
const ERRORS_ONLY = 1;

/** Draws a plot of vega-lite as SVG. */
export async function draw(spec: object): Promise<string> {
  const view = new View(parse(compile(spec).spec), { renderer: "none", logLevel: ERRORS_ONLY });
  try {
    return await view.toSVG() + "\n";
  } finally {
    view.finalize();
  }
}

/** Draws all that there is something to draw of into a directory, as `<name>.svg`; answers the names. */
export async function drawInto(all: readonly Chart[], directory: URL): Promise<string[]> {
  await Deno.mkdir(directory, { recursive: true });
  const drawn: string[] = [];
  for (const { name, spec } of all) {
    if (spec === undefined) continue;
    await Deno.writeTextFile(new URL(`${name}.svg`, directory), await draw(spec));
    drawn.push(`${name}.svg`);
  }
  return drawn;
}
