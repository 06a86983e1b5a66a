/** Argument parsing of the standard library, from its npm mirror (whose `unicode_width.js` lacks its data file). */
// @ts-types="./std_cli.d.ts"
export { parseArgs } from "npm:deno-std@1.4.0/cli/parse_args.js";
