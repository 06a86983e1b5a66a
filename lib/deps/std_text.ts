/** Edit distance of the standard library, from its npm mirror. */
// @ts-types="./std_text.d.ts"
export { levenshteinDistance } from "npm:deno-std@1.4.0/text/levenshtein_distance.js";
