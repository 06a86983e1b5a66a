/** Drawing of compiled plots, to SVG without a DOM. Only the benchmark's plots reach it. */
// @ts-types="./vega.d.ts"
export { parse, View } from "npm:vega@6.4.0";
