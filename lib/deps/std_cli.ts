/** Argument parsing and secret prompts of the standard library, from its npm mirror. */
// @ts-types="./std_cli.d.ts"
export { parseArgs } from "npm:deno-std@1.4.0/cli/parse_args.js";
// @ts-types="./std_cli.d.ts"
export { unicodeWidth } from "npm:deno-std@1.4.0/cli/unicode_width.js";
