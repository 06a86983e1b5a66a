/**
 * What of a tree stays where it is. A pattern without a slash is a name at any depth (`.git`, `*.map`); one with a slash
 * is a path below the top (`cache/**`, `/build`). `*` and `?` stand for characters of one name, `**` for any number of
 * names. With a directory goes all that is in it.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * const stays = excluder(["*.map", "cache/*"]);
 * assertEquals(["a/b.map", "cache/x", "a/cache/x"].map(stays), [true, true, false]);
 * ```
 */
export function excluder(patterns: readonly string[]): (relative: string) => boolean {
  const compiled = patterns.map((pattern) => {
    const trimmed = pattern.replace(/^\.\//, "").replace(/\/+$/, "");
    const anchored = trimmed.includes("/");
    const body = trimmed.replace(/^\/+/, "").split("/").map((part) =>
      part === "**"
        ? "**"
        : part.replace(/[\\^$.*+?()[\]{}|]/g, (c) => c === "*" ? "[^/]*" : c === "?" ? "[^/]" : `\\${c}`)
    );
    const path = body.join("/").replaceAll("**/", "(?:.*/)?").replaceAll("/**", "/.*").replaceAll("**", ".*");
    return new RegExp(anchored ? `^${path}$` : `^(?:.*/)?${path}$`, "u");
  });
  return (relative) => compiled.some((pattern) => pattern.test(relative));
}
