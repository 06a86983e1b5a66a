/** Trees that come from a host as one stream, from honest hosts of all kinds and from hostile ones. */
import { join } from "@std/path";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { fc } from "../../lib/deps/fast_check.ts";
import { concat } from "../../lib/base/bytes.ts";
import { CopyError } from "../../lib/base/errors.ts";
import { parseRecords } from "../../lib/host/copy_records.ts";
import { CopyRun } from "../../lib/host/copy_run.ts";
import { offeredTree, receiveStream } from "../../lib/host/fetch_stream.ts";
import { TAR_END, type TarEntry, tarHeader, tarPadding } from "../../lib/host/tar_writer.ts";
import { makeTree } from "./copy_test_tree.ts";
import { leftBehind, snapshot, tempDir, WHERE } from "./sftp_server.ts";
import { age, StreamWorld, type StreamWorldOptions } from "./stream_world.ts";
import { openssh } from "../support/openssh.ts";
import { shell, type ShellName } from "../support/shells.ts";

async function fetchesTree(options: StreamWorldOptions, sessions: readonly number[]): Promise<void> {
  await using world = await StreamWorld.start(options);
  await using dir = await tempDir();
  const { host, sshd, home } = world;
  await makeTree(`${home}/app`);
  await age(`${home}/app`);
  await new Deno.Command("chown", { args: ["-R", `${sshd.uid}`, `${home}/app`] }).output();
  let before = sshd.sessions();
  const counts: number[] = [];
  const fetched = async (from: string, to: string, how = {}) => {
    const result = await host.fetch(from, `${dir.path}/${to}`, how);
    counts.push(sshd.sessions() - before);
    before = sshd.sessions();
    return [result.files, result.skipped, result.directories];
  };
  assertEquals(await fetched("app", "here"), [14, 0, 6]);
  assertEquals(await snapshot(`${dir.path}/here`), await snapshot(`${home}/app`));
  assertEquals(await fetched("app/", "here"), [0, 14, 0]);
  assertEquals(await fetched("app/", "here", { update: "always" }), [14, 0, 0]);
  await Deno.writeTextFile(`${home}/app/bin/deep/a b`, "changed");
  assertEquals(await fetched("app", "here/"), [14, 0, 6]); // into here/app
  assertEquals(await fetched("app/", "here"), [1, 13, 0]);
  assertEquals(await Deno.readTextFile(`${dir.path}/here/bin/deep/a b`), "changed");
  assertEquals(await fetched("~/app/bin/run.sh", "run"), [1, 0, 0]);
  assertEquals(await fetched("app/bin/run.sh", "run"), [0, 1, 0]);
  assertEquals((await Deno.stat(`${dir.path}/run`)).mode! & 0o777, 0o755);
  assertEquals(await leftBehind(dir.path), []);
  assertEquals(counts, sessions);
}

Deno.test("a tree comes through one session from a host with GNU's tools", async () => {
  await fetchesTree({}, [1, 1, 1, 1, 1, 1, 1]);
});

Deno.test("a tree comes through one session from a host with busybox", async () => {
  await fetchesTree({ tools: "busybox" }, [1, 1, 1, 1, 1, 1, 1]);
});

Deno.test("a tree comes through one session from a host with BSD's tar", async () => {
  await fetchesTree({ tools: "bsdtar" }, [1, 1, 1, 1, 1, 1, 1]);
});

for (const name of ["fish", "tcsh"] as const satisfies readonly ShellName[]) {
  Deno.test(`a tree comes through one session from an account whose login shell is ${name}`, async () => {
    await fetchesTree({ loginShell: await shell(name) }, [1, 1, 1, 1, 1, 1, 1]);
  });
}

Deno.test("a tree comes by SFTP from an account that has nothing else", async () => {
  const { sftpServer } = await openssh();
  await fetchesTree({ config: [`ForceCommand ${sftpServer}`] }, [1, 1, 1, 1, 1, 1, 1]);
});

Deno.test("200 small files come in one round trip, a small file too, and so it takes to see that all is here", async () => {
  await using world = await StreamWorld.start({ rttMs: 300 });
  await using dir = await tempDir();
  await Deno.mkdir(`${world.home}/src`);
  for (let at = 0; at < 200; at++) {
    await Deno.writeFile(`${world.home}/src/${at}`, new Uint8Array(2048).fill(at));
  }
  const fetch = async (from: string, to: string) => {
    await world.host.exec("true"); // warm, and a spare is there for the next
    return await world.roundTrips(() => world.host.fetch(from, `${dir.path}/${to}`));
  };
  await age(`${world.home}/src`);
  const counts = [await fetch("src", "dst"), await fetch("src/7", "seven")];
  assertEquals(await snapshot(`${dir.path}/dst`), await snapshot(`${world.home}/src`));
  // Nothing has to be asked for: the listing says that all is here.
  counts.push(await fetch("src/", "dst"));
  await Deno.writeTextFile(`${world.home}/src/7`, "seven");
  counts.push(await fetch("src/", "dst"));
  assertEquals(await Deno.readTextFile(`${dir.path}/dst/7`), "seven");
  assert(counts[0] <= 2 && counts[1] <= 1 && counts[2] <= 1 && counts[3] <= 2, String(counts));
});

Deno.test("what a stream cannot give is fetched by SFTP, and what nobody can is named", async () => {
  await using world = await StreamWorld.start();
  await using dir = await tempDir();
  await world.host.exec(
    "mkdir src; cd src; echo one > a; ln a b; mkfifo pipe; echo hush > secret; chmod 0 secret; mkdir in; echo in > in/f",
  );
  const error = await assertRejects(() => world.host.fetch("src", `${dir.path}/dst`), CopyError);
  // A stream that failed in one file is not believed in the others.
  assertEquals((await snapshot(`${dir.path}/dst`)).map((line) => line.split(" ")[0]), [
    "a",
    "b",
    "in/",
    "in/f",
  ]);
  assert(
    /pipe \(it is neither/.test(error.message) && /secret \(the server says permission/.test(error.message),
  );
});

Deno.test("more than one stream's worth comes whole, large files by SFTP", async () => {
  await using world = await StreamWorld.start();
  await using dir = await tempDir();
  await world.host.exec(
    "mkdir -p src/a; for i in 1 2 3 4 5 6 7 8 9 10; do head -c 3000000 /dev/urandom > src/a/$i; done; " +
      "head -c 9000000 /dev/urandom > src/large; ln -s a/1 src/link",
  );
  const result = await world.host.fetch("src", `${dir.path}/dst`);
  assertEquals([result.files, result.symlinks, result.bytes], [11, 1, 39_000_000]);
  assertEquals(await snapshot(`${dir.path}/dst`), await snapshot(`${world.home}/src`));
});

Deno.test("a file that shrinks while tar reads it does not arrive padded with zeros", async () => {
  await using world = await StreamWorld.start({ tools: "bsdtar" });
  await using dir = await tempDir();
  await world.host.exec("mkdir src; printf 0123456789 > src/f");
  // As tar does then: the size from the header, zeros for what is gone, and a status of 1.
  await Deno.writeTextFile(
    `${world.sshd.dir}/server/bin/tar`,
    "#!/bin/sh\nprintf 0123456789 > src/f 2>/dev/null\nbsdtar \"$@\" | tr 5-9 '\\000'\nexit 1\n",
    { mode: 0o755 },
  );
  await world.host.fetch("src", `${dir.path}/dst`);
  assertEquals(await Deno.readTextFile(`${dir.path}/dst/f`), "0123456789");
});

const evil = fc.constantFrom(
  "../out",
  "/etc/out",
  "a/../../out",
  ".",
  "..",
  "",
  "link/out",
  "a",
  "a/b",
  "./a",
  "./link",
  "wanted",
  "./wanted",
  "dir",
  "dir/f",
  "././wanted",
  "dir/../wanted",
  "a\0b",
);

Deno.test("a hostile stream writes nothing but what was wanted, where it was wanted", async () => {
  await using dir = await tempDir();
  const item = fc.record({
    name: evil,
    kind: fc.constantFrom("file" as const, "symlink" as const, "directory" as const),
    type: fc.option(fc.constantFrom("1", "3", "6", "7", "S", "g"), { nil: undefined, freq: 4 }),
    target: fc.constantFrom("../../out", "/etc", "wanted", "."),
    text: fc.string({ maxLength: 600 }),
  });
  let turn = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(item, { maxLength: 8 }),
      fc.boolean(),
      fc.nat(3000),
      async (items, good, cut) => {
        const top = `${dir.path}/${turn++}/top`;
        await Deno.mkdir(`${top}/dir`, { recursive: true });
        const parts: Uint8Array[] = [];
        for (const { name, kind, type, target, text } of items) {
          const data = kind === "file" ? new TextEncoder().encode(text) : new Uint8Array(0);
          const header = tarHeader(
            { name, kind, mode: 0o777, mtime: 1, size: data.length, target } as TarEntry,
          );
          if (type) retype(header, type);
          parts.push(header, data, new Uint8Array(tarPadding(data.length)));
        }
        let stream: Uint8Array | undefined = concat([...parts, TAR_END]);
        if (cut < 1000) stream = stream.subarray(0, cut);
        const attributes = { permissions: 0o100644, mtime: 5, size: 1 };
        const entry = (relative: string) => ({ relative, path: `/${relative}`, attributes });
        const run = new CopyRun({});
        const got = await receiveStream(run, { where: WHERE }, {
          read: () => {
            const all = stream;
            stream = undefined;
            return Promise.resolve(all);
          },
          succeeded: () => Promise.resolve(good),
        }, {
          files: new Map(
            [["wanted", "wanted"], ["dir/f", "dir/f"]].map((
              [name, at],
            ) => [name, { entry: entry(name), target: `${top}/${at}` }]),
          ),
          links: new Map([["link", entry("link")]]),
        });
        const found = (await snapshot(`${dir.path}/${turn - 1}`)).map((line) => line.split(" ")[0]);
        assertEquals(
          found.filter((name) => !["top/", "top/dir/", "top/wanted", "top/dir/f"].includes(name)),
          [],
        );
        if (!good) assertEquals(found, ["top/", "top/dir/"]);
        for (const { target } of got?.symlinks ?? []) assert(["wanted", "."].includes(target));
      },
    ),
    { numRuns: 150 },
  );
});

/** Another type, and a checksum that is right again. */
function retype(header: Uint8Array, type: string): void {
  const block = header.subarray(header.length - 512);
  block[156] = type.charCodeAt(0);
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.set(new TextEncoder().encode(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
}

Deno.test("a hostile listing names nothing outside, and no file without its directory", () => {
  const record = fc.tuple(evil, fc.constantFrom("41ed", "81a4", "a1ff", "11b6", "0")).map(([name, mode]) =>
    `${mode} 5 1 1 ${name}//\n`
  );
  fc.assert(fc.property(fc.array(record, { maxLength: 10 }), (lines) => {
    const records = parseRecords(new TextEncoder().encode(`41ed 0 1 1 .//\n${lines.join("")}`));
    const tree = offeredTree(new CopyRun({}), { where: WHERE }, "top", { records, odd: false });
    if (tree === undefined) return;
    const directories = new Set(tree.levels.flat().map(({ relative }) => relative));
    for (const { relative } of [...tree.levels.flat(), ...tree.files, ...tree.links]) {
      assert(
        !relative.split("/").some((part) => part === ".." || part === "." || part.includes("\0")),
        relative,
      );
      assert(!relative.startsWith("/"));
      assert(directories.has(relative.split("/").slice(0, -1).join("/")), relative);
    }
  }));
});

Deno.test("a file that another takes the place of while it is fetched comes whole", async () => {
  await using world = await StreamWorld.start({ tools: "bsdtar" });
  await using dir = await tempDir();
  await world.host.exec("echo old >conf; echo new and longer >next; touch -d '3 days ago' conf next");
  // Between the look at it and the reading.
  const stat = join(world.sshd.dir, "server", "bin", "stat");
  const script =
    '#!/bin/sh\nPATH=/usr/bin:/bin; stat "$@"; s=$?; case $* in *conf) mv next conf 2>&- ;; esac; exit $s\n';
  await Deno.writeTextFile(stat, script, { mode: 0o755 });
  await world.host.fetch("conf", `${dir.path}/conf`);
  assertEquals(await Deno.readTextFile(`${dir.path}/conf`), "new and longer\n");
});
