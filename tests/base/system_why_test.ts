import { assertEquals } from "@std/assert";
import { systemWhy } from "../../lib/base/system_why.ts";

Deno.test("system why says what was refused in plain words, without Deno's call and path", () => {
  const told = [
    new Deno.errors.NotFound("No such file or directory (os error 2): writefile '/nonexist/x'"),
    new Deno.errors.PermissionDenied("Permission denied (os error 13)"),
    new Deno.errors.NotFound("Failed to spawn '/x': No such file or directory (os error 2)"),
    new Deno.errors.NotCapable('Requires write access to "/x", run again with the --allow-write flag'),
    new TypeError("something else"),
    "text",
  ].map(systemWhy);
  assertEquals(told, [
    "no such file or directory",
    "permission denied",
    "no such file or directory",
    "Deno does not allow it without --allow-write",
    "something else",
    "text",
  ]);
});
