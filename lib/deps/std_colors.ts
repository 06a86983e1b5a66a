/** Terminal colours of the standard library, from its npm mirror. */
// @ts-types="./std_colors.d.ts"
export {
  bold,
  cyan,
  dim,
  getColorEnabled,
  gray,
  green,
  magenta,
  red,
  setColorEnabled,
  stripAnsiCode,
  yellow,
} from "npm:deno-std@1.4.0/fmt/colors.js";
