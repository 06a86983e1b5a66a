/** Differences between texts, as unified diffs. */
// @ts-types="./diff.d.ts"
export { createTwoFilesPatch } from "npm:diff@9.0.0";
