/** Small files that travel with the steps arrive as copies of their own would. */
import { assert, assertEquals } from "@std/assert";
import type { RunEvent } from "../../lib/base/run_event.ts";
import type { JobDefinition } from "../../lib/job/job.ts";
import { FusionWorld, withoutTimes } from "./fusion_world.ts";

interface Told {
  readonly events: readonly RunEvent[];
  readonly sessions: number;
  readonly files: readonly string[];
}

/** Names, modes, times, sizes and contents of all that lies in the account's home below `top`. */
async function listing(world: FusionWorld, top: string): Promise<string[]> {
  const found: string[] = [];
  const walk = async (at: string) => {
    for await (const { name } of Deno.readDir(`${world.sshd.home}/${at}`)) {
      const path = `${at}/${name}`;
      const info = await Deno.lstat(`${world.sshd.home}/${path}`);
      const kind = info.isDirectory ? "d" : info.isSymlink ? "l" : "f";
      const content = info.isFile ? (await Deno.readFile(`${world.sshd.home}/${path}`)).toHex() : "";
      const mtime = info.isFile ? Math.floor((info.mtime?.getTime() ?? 0) / 1000) : "";
      // A file that makes no time of its own is as old as the run.
      found.push(
        `${kind} ${path.slice(top.length)} ${((info.mode ?? 0) & 0o7777).toString(8)} ${mtime} ${content}`,
      );
      if (info.isDirectory) await walk(path);
    }
  };
  await walk(top);
  return found.sort();
}

const told = (events: readonly RunEvent[], top: string): unknown =>
  JSON.parse(
    JSON.stringify(withoutTimes(events)).replaceAll(top, "TOP").replace(/\.carpool-[0-9a-f-]+/g, ""),
  );

/** The same job, with the copies among the commands and on their own; `TOP` in it is a directory for each. */
async function both(world: FusionWorld, job: JobDefinition): Promise<Told> {
  const run = async (top: string, fuse: boolean): Promise<Told> => {
    const mine = JSON.parse(JSON.stringify(job).replaceAll("TOP", top)) as JobDefinition;
    const { sessions, value } = await world.sessionsOf(() => world.run(mine, { fuse }));
    return { events: value.events, sessions, files: await listing(world, top) };
  };
  const fused = await run("fused", true);
  const single = await run("alone!", false);
  assertEquals(told(fused.events, "fused"), told(single.events, "alone!"));
  assertEquals(fused.files, single.files);
  assert(fused.files.every((line) => !line.includes(".carpool-")), "a temporary file is left");
  return fused;
}

async function sources(): Promise<string> {
  const dir = await Deno.makeTempDir();
  const old = new Date("2001-02-03T04:05:06.789Z");
  const file = async (name: string, content: Uint8Array, mode: number) => {
    await Deno.writeFile(`${dir}/${name}`, content);
    await Deno.chmod(`${dir}/${name}`, mode);
    await Deno.utime(`${dir}/${name}`, old, old);
  };
  await file("text", new TextEncoder().encode("hello\n"), 0o644);
  await file("script", new TextEncoder().encode("#!/bin/sh\necho ran"), 0o755);
  await file("binary", Uint8Array.from({ length: 60_000 }, (_, i) => (i * 7919) % 256), 0o600);
  await file("empty", new Uint8Array(), 0o640);
  await file("it's odd $x", new TextEncoder().encode("odd"), 0o444);
  await file("large", new Uint8Array(70_000).fill(65), 0o644);
  return dir;
}

Deno.test("small files travel with the steps, and arrive as copies of their own do", async () => {
  await using world = await FusionWorld.make();
  const dir = await sources();
  const { sessions } = await both(world, {
    steps: [
      { exec: "mkdir -p TOP/into TOP/taken; echo old >TOP/there; ln -s there TOP/link; chmod 600 TOP/there" },
      { copy: `${dir}/text`, to: "TOP/as" },
      { copy: `${dir}/script`, to: "TOP/into" },
      { copy: `${dir}/script`, to: "~/TOP/new/" },
      { copy: `${dir}/binary`, to: "TOP/into/" },
      { copy: `${dir}/empty`, to: "./TOP/empty" },
      { copy: `${dir}/it's odd $x`, to: "TOP/" },
      { copy: `${dir}/text`, to: "TOP/there" },
      { copy: `${dir}/script`, to: "TOP/link" },
      { copy: `${dir}/text`, to: "TOP/as" },
      { copy: `${dir}/text`, to: "TOP/mode", mode: "0751" },
      { copy: `${dir}/text`, to: "TOP/guarded", creates: "TOP/as" },
      { exec: "cat TOP/as; TOP/new/script" },
    ],
  });
  assertEquals(sessions, 1);
  await Deno.remove(dir, { recursive: true });
});

Deno.test("a copy that meets anything unusual is done, or fails, as one of its own", async () => {
  await using world = await FusionWorld.make();
  const dir = await sources();
  for (
    const to of [
      "TOP/file/",
      "TOP/no/such/dir",
      "TOP/no/such/",
      "TOP/closed/x",
      "TOP/dir-in-the-way",
      "~nobody/x",
    ]
  ) {
    const make =
      "rm -rf TOP; mkdir -p TOP/closed TOP/dir-in-the-way/text; touch -t 202601020304 TOP/file; chmod 500 TOP/closed";
    await both(world, {
      steps: [{ exec: make }, { exec: "echo one" }, { copy: `${dir}/text`, to }, { exec: "echo two" }],
    });
  }
  await both(world, {
    steps: [
      { exec: "rm -rf TOP; mkdir TOP" },
      { exec: "echo one" },
      { copy: `${dir}/large`, to: "TOP/large" },
      { exec: "cksum <TOP/large" },
      { copy: `${dir}/`, to: "TOP/tree" },
      { exec: "ls TOP/tree" },
    ],
  });
  await Deno.remove(dir, { recursive: true });
});
