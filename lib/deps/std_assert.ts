/** Assertions of the standard library, from its npm mirror (JSR is not reachable everywhere). Tests only. */
// @ts-types="./std_assert.d.ts"
export {
  assert,
  assertEquals,
  assertExists,
  assertInstanceOf,
  AssertionError,
  assertMatch,
  assertNotEquals,
  assertObjectMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  fail,
  unreachable,
} from "npm:deno-std@1.4.0/assert/mod.js";
