/** Under which names parts of large files lie, on hosts that several machines copy to. */
import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { partBeside, thisMachine } from "../../lib/host/copy_part.ts";
import { run } from "../support/run.ts";

Deno.test("a part has the same name for the same source, and another for another one", () => {
  const identity: (string | number)[] = ["machine", "/home/a/disk.img", 123456789, 1.6e12];
  const part = partBeside("/srv/disk.img", ...identity);
  assertMatch(part, /^\/srv\/\.disk\.img\.carpool-part-[0-9a-f]{12}$/);
  assertEquals(partBeside("/srv/disk.img", ...identity), part);
  for (const at of identity.keys()) {
    assertNotEquals(partBeside("/srv/disk.img", ...identity.toSpliced(at, 1, "other")), part);
  }
});

Deno.test("a machine is known by its name and by its system's id, where it has one", async () => {
  const id = await Deno.readTextFile("/etc/machine-id").catch(() => "");
  assertEquals(thisMachine(), `${Deno.hostname()} ${id.trim()}`);
});

Deno.test("a program that may not ask which machine it is on copies all the same, and nobody is asked", async () => {
  const url = import.meta.resolve("../../lib/host/copy_part.ts");
  const code = `import { thisMachine } from ${
    JSON.stringify(url)
  };\nconsole.log(JSON.stringify(thisMachine()));`;
  const { stdout, stderr } = await run(
    Deno.execPath(),
    ["run", "--quiet", "--no-check", "--no-config", "--no-lock", "-"],
    { stdin: code },
  );
  assertEquals([stdout.trim(), stderr], ['" "', ""]);
});
