/** The language in which plots are written; see vega.ts. */
// @ts-types="./vega_lite.d.ts"
export { compile } from "npm:vega-lite@6.5.0";
