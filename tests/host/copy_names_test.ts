import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { fc } from "fast-check";
import {
  decodeName,
  lastName,
  nameFault,
  namesContents,
  parentPath,
  shown,
  temporaryBeside,
} from "../../lib/host/copy_names.ts";
import { staysInside } from "../../lib/host/fetch_list.ts";

Deno.test("names that lead elsewhere are refused, others are not", () => {
  for (const name of ["", ".", "..", "a/b", "/", "../x", "a\0"]) {
    assert(nameFault(name, name.length, false), JSON.stringify(name));
  }
  for (const name of ["..x", "...", " ", "a\\b", "c:d", "-rf", "\n"]) {
    assertEquals(nameFault(name, name.length, false), undefined);
  }
  for (const name of ["a\\b", "c:d"]) assert(nameFault(name, name.length, true), name);
  assert(nameFault("x".repeat(2000), 2000, false));
});

Deno.test("a name survives its bytes, and bytes that are no UTF-8 are no name", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (name) => {
    assertEquals(decodeName(new TextEncoder().encode(name)), name.toWellFormed());
  }));
  assertEquals(decodeName(new Uint8Array([0x63, 0xe9])), undefined);
});

Deno.test("a temporary name lies beside its own, differs each time and fits the file system", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme", minLength: 1, maxLength: 300 }), (text) => {
    const name = text.replaceAll("/", "_");
    const temporary = temporaryBeside(`/srv/app/${name}`);
    assert(temporary.startsWith("/srv/app/."));
    assertNotEquals(temporary, temporaryBeside(`/srv/app/${name}`));
    assert(new TextEncoder().encode(temporary.slice("/srv/app/".length)).length <= 255);
  }));
  assert(/^\.a\.carpool-[0-9a-f]{12}$/.test(temporaryBeside("a")));
});

Deno.test("paths come apart as scp's and rsync's users expect", () => {
  for (const path of ["dist/", "dist/.", ".", "..", "/", "a/..", "./"]) assert(namesContents(path), path);
  for (const path of ["dist", "a/b", ".hidden", "a/..b", "...", "a."]) assert(!namesContents(path), path);
  assertEquals(["a", "a/", "/x/y", "/x/y//"].map(lastName), ["a", "a", "y", "y"]);
  assertEquals(["a", "/a", "/x/y", "x/y/"].map(parentPath), [".", "/", "/x", "x"]);
});

Deno.test("control characters and text direction marks are shown, not obeyed", () => {
  assertEquals(shown("a\n\x1b[31mb\x9b\u202e"), "a\\n\\x1b[31mb\\x9b\\x202e");
});

Deno.test("a symlink stays inside only if it cannot lead out through others", () => {
  for (
    const [link, target] of [["l", "a"], ["l", "./a/b"], ["d/l", "../a"], ["d/e/l", "../../a"], ["l", "."]]
  ) {
    assert(staysInside(link, target, false), `${link} -> ${target}`);
  }
  for (
    const [link, target] of [
      ["l", ".."],
      ["l", "/etc"],
      ["d/l", "../../a"],
      ["l", "a/.."], // `a` may be a symlink to a directory far below, and `..` then is not here
      ["d/l", "../a/../../b"],
    ]
  ) assert(!staysInside(link, target, false), `${link} -> ${target}`);
  assert(!staysInside("l", "c:\\windows", true));
});
