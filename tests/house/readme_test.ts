import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { root } from "./source_files.ts";

async function read(name: string): Promise<string> {
  return await Deno.readTextFile(join(root, name));
}

Deno.test("every task that the documents name is a task of deno.json", async () => {
  const tasks = Object.keys(JSON.parse(await read("deno.json")).tasks);
  const unknown: string[] = [];
  for (const name of ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", ".ci/run"]) {
    for (const [, task] of (await read(name)).matchAll(/\bdeno(?:@[\d.]+)? task ([\w:-]+)/g)) {
      if (!tasks.includes(task)) unknown.push(`${name}: deno task ${task}`);
    }
  }
  assertEquals(unknown, []);
});

Deno.test("README opens with the demo and then the tests", async () => {
  const commands = [
    ...(await read("README.md")).matchAll(/^(?:\$ )?(npx -y deno@\S+ task \S+|deno task \S+)/gm),
  ];
  const tasks = commands.map(([, command]) => command.split(" task ")[1]);
  assertEquals([...new Set(tasks)].slice(0, 2), ["demo", "test"]);
});

Deno.test("the documents and the continuous integration name one version of Deno", async () => {
  const wanted = /^version=([\d.]+)$/m.exec(await read(".ci/run"))?.[1];
  assert(wanted);
  for (const name of ["README.md", "CONTRIBUTING.md"]) {
    const named = [...(await read(name)).matchAll(/\bdeno@([\d.]*\d)/g)].map(([, version]) => version);
    assertEquals(named.filter((version) => version !== wanted), [], name);
  }
});
