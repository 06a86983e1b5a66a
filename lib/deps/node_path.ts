/**
 * Paths of this machine, from the runtime itself: what `mod.ts` loads at once must not need an npm package, or an import
 * by URL fails beside a `package.json` before it could say why.
 */
export {
  basename,
  dirname,
  extname,
  isAbsolute,
  join,
  matchesGlob,
  normalize,
  relative,
  resolve,
} from "node:path";
export { fileURLToPath as fromFileUrl, pathToFileURL as toFileUrl } from "node:url";
