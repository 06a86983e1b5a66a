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
