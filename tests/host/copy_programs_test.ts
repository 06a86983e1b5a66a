/** How many programs a host runs for a copy or a fetch: never one for each file. */
import { assert, assertEquals } from "@std/assert";
import { FinishScript } from "../../lib/host/copy_finish.ts";
import { CountedHost, pathOf } from "./counted_host.ts";
import { leftBehind, snapshot, tempDir } from "./sftp_server.ts";
import { age } from "./stream_world.ts";

const FILES = 200;
const DIRECTORIES = 10;
/** To a script before which this stands, no program is called perl. */
const NO_PERL = `command() { [ "$2" != perl ]; }\n`;

async function makeFiles(top: string, text: string): Promise<void> {
  for (let at = 0; at < FILES; at++) {
    const directory = `${top}/d${at % DIRECTORIES}`;
    await Deno.mkdir(directory, { recursive: true });
    await Deno.writeTextFile(`${directory}/it's \\0 %s ${at}`, `${text} ${at}`);
  }
}

for (const perl of [true, false]) {
  Deno.test(`a host ${perl ? "with" : "without"} perl runs a few programs for 200 files, both ways`, async () => {
    await using counted = await CountedHost.start(...perl ? ["perl"] : []);
    await using dir = await tempDir();
    const [src, back] = [`${dir.path}/src`, `${dir.path}/back`];
    await makeFiles(src, "one");
    await age(src);
    const { host } = counted;
    const copy = () => counted.programs(() => host.copy(`${src}/`, "dst"));
    assertEquals(await copy(), ["dd", "mkdir", "mv", "rm", "tar"]);
    assertEquals(await snapshot(`${counted.home}/dst`), await snapshot(src));
    assertEquals(await copy(), ["date", "stat"]);
    await makeFiles(src, "another");
    // A directory of files is moved by one program; many directories by one as well, where there is one that can.
    const moved = perl ? ["perl"] : Array<string>(DIRECTORIES).fill("mv");
    assertEquals(await copy(), [...moved, "date", "mkdir", "rm", "stat", "tar"].sort());
    assertEquals(await contents(`${counted.home}/dst`), await contents(src));
    const fetch = () => counted.programs(() => host.fetch("dst/", back));
    assertEquals(await fetch(), ["du", "find", "tar"]);
    assertEquals(await snapshot(back), await snapshot(`${counted.home}/dst`));
    await age(`${counted.home}/dst`);
    await host.fetch("dst/", back);
    assertEquals(await fetch(), ["date", "find"]);
    assertEquals(await leftBehind(counted.home), []);
  });
}

Deno.test("files whose times alone have changed get them from one program for each time", async () => {
  for (const perl of [true, false]) {
    await using counted = await CountedHost.start(...perl ? ["perl"] : []);
    await using dir = await tempDir();
    const src = `${dir.path}/src`;
    await makeFiles(src, "same");
    await age(src);
    await counted.host.copy(`${src}/`, "dst");
    for (let at = 0; at < FILES; at++) {
      const seconds = 1500000000 + at % 8;
      await Deno.utime(`${src}/d${at % DIRECTORIES}/it's \\0 %s ${at}`, seconds, seconds);
    }
    const programs = await counted.programs(() =>
      counted.host.copy(`${src}/`, "dst", { update: "checksum" })
    );
    const touched = perl ? ["perl"] : Array<string>(8).fill("touch");
    assertEquals(programs, [...touched, "date", "mkdir", "rm", "sha256sum", "stat", "tar"].sort());
    assertEquals(await times(`${counted.home}/dst`), await times(src));
  }
});

Deno.test("what is unpacked takes its place the same by perl as by mv and touch, whatever the names", async () => {
  const names = [
    "plain",
    "a b",
    "new\nline",
    `quo"te's`,
    "-rf",
    "back\\slash",
    "$HOME",
    "`id`",
    "ünï→🚗",
    "%s\\0",
  ];
  const results: unknown[] = [];
  for (const without of ["", NO_PERL]) {
    await using dir = await tempDir();
    const here = dir.path;
    await Deno.mkdir(`${here}/.p/n`, { recursive: true });
    const finish = new FinishScript();
    for (const [at, name] of names.entries()) {
      for (const top of [`${here}/.p/n`, here]) await Deno.mkdir(`${top}/${name}`);
      for (const file of names) {
        await Deno.writeTextFile(`${here}/.p/n/${name}/${file}`, `new ${name}`);
        await Deno.writeTextFile(`${here}/${name}/${file}`, "old");
        finish.move(`${name}/${file}`);
        finish.time(`${name}/${file}`, 1400000000 + at);
      }
      finish.mode(`${name}/${names[at]}`, 0o600);
      finish.time(name, 1300000000);
    }
    const script = `p=./.p\n${without}${finish}exit $e`;
    const { code, stderr } = await new Deno.Command("sh", { args: ["-c", script], cwd: here }).output();
    assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
    await Deno.remove(`${here}/.p`, { recursive: true });
    results.push(await snapshot(here));
  }
  assertEquals(results[0], results[1]);
  assert(JSON.stringify(results[0]).length > 100);
});

Deno.test("something that cannot take its place is told by the status, by perl as by mv", async () => {
  for (const without of ["", NO_PERL]) {
    await using dir = await tempDir();
    const finish = new FinishScript();
    for (let at = 0; at < DIRECTORIES; at++) {
      for (const top of [".p/n/", ""]) await Deno.mkdir(`${dir.path}/${top}d${at}`, { recursive: true });
      if (at !== 5) await Deno.writeTextFile(`${dir.path}/.p/n/d${at}/f`, "new");
      finish.move(`d${at}/f`);
    }
    const args = ["-c", `p=./.p\n${without}${finish}exit $e`];
    const { code } = await new Deno.Command("sh", { args, cwd: dir.path }).output();
    assertEquals(code, 78);
    // The others are where they belong.
    assertEquals(await Deno.readTextFile(`${dir.path}/d9/f`), "new");
  }
});

Deno.test("a new tree whose place is taken while it moves there leaves nothing of itself in it", async () => {
  // Between the look and the move somebody else makes the directory, with something in it.
  const race = (theirs: string) => `mv() { mkdir -p ${theirs}; echo theirs > there/f; command mv "$@"; }\n`;
  const trees: [readonly string[], string][] = [[["a"], "there"], [["n"], "there"], [["n/n"], "there/n/x"], [[
    "a",
  ], "there/n/x"]];
  for (const [own, theirs] of trees) {
    await using dir = await tempDir();
    const here = dir.path;
    for (const path of own) {
      await Deno.mkdir(`${here}/.p/n/${path}`, { recursive: true });
      await Deno.writeTextFile(`${here}/.p/n/${path}/f`, "ours");
    }
    const finish = new FinishScript();
    finish.moveAll("there", new Set(own.flatMap((path) => path === "n/n" ? ["n", "n/n"] : [path])));
    const script = `p=./.p\n${race(theirs)}${finish}exit $e`;
    const { code } = await new Deno.Command("sh", { args: ["-c", script], cwd: here, stderr: "null" })
      .output();
    // Either way the copy goes on file by file, and what others made is as they made it.
    assert(code === 75 || code === 76, String(code));
    await Deno.remove(`${here}/.p`, { recursive: true });
    const found = await new Deno.Command("find", { args: ["there"], cwd: here }).output();
    const expected = ["there", "there/f", ...theirs === "there" ? [] : ["there/n", "there/n/x"]];
    assertEquals(new TextDecoder().decode(found.stdout).trim().split("\n").sort(), expected);
  }
  // And where nobody does, it takes its place, whatever is in it.
  for (const own of ["a", "n", "n/n"]) {
    await using dir = await tempDir();
    await Deno.mkdir(`${dir.path}/.p/n/${own}`, { recursive: true });
    const finish = new FinishScript();
    finish.moveAll("there", new Set(own === "n/n" ? ["n", "n/n"] : [own]));
    const args = ["-c", `p=./.p\n${finish}exit $e`];
    assertEquals((await new Deno.Command("sh", { args, cwd: dir.path }).output()).code, 0);
    assert((await Deno.stat(`${dir.path}/there/${own}`)).isDirectory);
  }
});

Deno.test("what a dead copy left is swept by a later one after a day, what somebody works on is not", async () => {
  await using counted = await CountedHost.start();
  await using dir = await tempDir();
  const { host } = counted;
  await Deno.writeTextFile(`${dir.path}/f`, "f");
  const id = "0123abcd-012";
  const ours = [
    `.carpool-${id}`,
    `.g.carpool-${id}`,
    ".g.carpool-0123456789ab",
    ".g.carpool-part-0123456789ab",
  ];
  // Names that somebody else gave, however like ours they look.
  const others = [".carpool-cache", ".env.carpool-prod", ".g.carpool-part-of-it", ".keep"];
  const there = async () => {
    const names = await Array.fromAsync(Deno.readDir(counted.home), ({ name }) => name);
    return names.filter((name) => name.startsWith(".")).sort();
  };
  await host.exec(
    `mkdir ${ours[0]}; echo x > ${ours[0]}/f; touch ${[...ours.slice(1), ...others].join(" ")}`,
  );
  await host.exec(`ln -s nowhere .h.carpool-${id}`);
  const all = [...ours, `.h.carpool-${id}`, ...others].sort();
  // A copy by SFTP gives its file the time of the source before it gives it its name: such a time says nothing.
  await host.exec(`touch -h -d '3 days ago' ${all.join(" ")}`);
  await host.copy(`${dir.path}/f`, "f");
  // It looks behind the copy's back: at each of them in turn, so that it has when it has looked at the last.
  await counted.replace("date", `exec ${await pathOf("date")} -d '1 hour' "$@"`);
  const programs = await counted.programs(async () => {
    await host.copy(`${dir.path}/f`, "g");
    await host.exec(`while [ $(grep -c stat ${counted.log}) -lt 5 ]; do :; done`, { timeoutMs: 20_000 });
  });
  assertEquals(programs.filter((name) => name === "rm").length, 1); // the copy's own
  assertEquals(await there(), all);
  await counted.replace("date", `exec ${await pathOf("date")} -d '2 days' "$@"`);
  await host.copy(`${dir.path}/f`, "h");
  await host.exec(
    `while ${
      [...ours, `.h.carpool-${id}`].map((name) => `[ -e ${name} ] || [ -h ${name} ]`).join(" || ")
    }; do :; done`,
    {
      timeoutMs: 20_000,
    },
  );
  assertEquals(await there(), others.sort());
});

/** Contents by path. */
async function contents(top: string): Promise<Record<string, string>> {
  const all: Record<string, string> = {};
  for await (const { name, isDirectory } of Deno.readDir(top)) {
    if (!isDirectory) all[name] = await Deno.readTextFile(`${top}/${name}`);
    else {for (const [below, text] of Object.entries(await contents(`${top}/${name}`))) {
        all[`${name}/${below}`] = text;
      }}
  }
  return all;
}

/** Modification times of files, in the order of their paths. */
async function times(top: string): Promise<[string, number][]> {
  const all: [string, number][] = [];
  for (const path of Object.keys(await contents(top)).sort()) {
    all.push([path, (await Deno.stat(`${top}/${path}`)).mtime!.getTime()]);
  }
  return all;
}
