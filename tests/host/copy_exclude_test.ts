import { assertEquals } from "@std/assert";
import { excluder } from "../../lib/host/copy_exclude.ts";

Deno.test("what stays here is a name at any depth, or a path below the top", () => {
  const cases: readonly [string, readonly string[], readonly string[]][] = [
    [".git", [".git", "a/.git"], ["a.git", "git", ".gitignore"]],
    ["*.map", ["x.map", "a/b/x.map"], ["x.map.js", "map"]],
    ["cache/**", ["cache/a", "cache/a/b"], ["cache", "x/cache/a"]],
    ["/build", ["build"], ["a/build"]],
    ["a/*/c", ["a/b/c"], ["a/c", "a/b/b/c"]],
    ["**/tmp/x", ["tmp/x", "a/b/tmp/x"], ["tmp", "atmp/x"]],
    ["n?de_modules/", ["node_modules", "a/node_modules"], ["noode_modules"]],
    ["a+(b).[c]", ["a+(b).[c]"], ["aab.c"]],
  ];
  for (const [pattern, yes, no] of cases) {
    const stays = excluder([pattern]);
    for (const path of yes) assertEquals([pattern, path, stays(path)], [pattern, path, true]);
    for (const path of no) assertEquals([pattern, path, stays(path)], [pattern, path, false]);
  }
  assertEquals(excluder([])("a"), false);
});
