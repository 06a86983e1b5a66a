/** Paths of this machine, and `posix`: paths of the remote one; from the standard library's npm mirror. */
// @ts-types="./std_path.d.ts"
export { basename } from "npm:deno-std@1.4.0/path/basename.js";
// @ts-types="./std_path.d.ts"
export { dirname } from "npm:deno-std@1.4.0/path/dirname.js";
// @ts-types="./std_path.d.ts"
export { extname } from "npm:deno-std@1.4.0/path/extname.js";
// @ts-types="./std_path.d.ts"
export { fromFileUrl } from "npm:deno-std@1.4.0/path/from_file_url.js";
// @ts-types="./std_path.d.ts"
export { globToRegExp } from "npm:deno-std@1.4.0/path/glob_to_regexp.js";
// @ts-types="./std_path.d.ts"
export { isAbsolute } from "npm:deno-std@1.4.0/path/is_absolute.js";
// @ts-types="./std_path.d.ts"
export { join } from "npm:deno-std@1.4.0/path/join.js";
// @ts-types="./std_path.d.ts"
export { normalize } from "npm:deno-std@1.4.0/path/normalize.js";
// @ts-types="./std_path.d.ts"
export { relative } from "npm:deno-std@1.4.0/path/relative.js";
// @ts-types="./std_path.d.ts"
export { resolve } from "npm:deno-std@1.4.0/path/resolve.js";
// @ts-types="./std_path.d.ts"
export { toFileUrl } from "npm:deno-std@1.4.0/path/to_file_url.js";
