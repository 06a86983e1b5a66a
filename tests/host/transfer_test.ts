import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { CopyError } from "../../lib/base/errors.ts";
import { connect } from "../../lib/host/connect.ts";
import { noPrompter } from "../../lib/target/prompter.ts";
import { startSshd } from "../support/sshd.ts";

async function tree(root: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const entry of Deno.readDir(root)) {
    const path = join(root, entry.name);
    const info = await Deno.lstat(path);
    const mode = (info.mode! & 0o777).toString(8);
    if (entry.isSymlink) found[entry.name] = `-> ${await Deno.readLink(path)}`;
    else if (entry.isDirectory) {
      found[`${entry.name}/`] = mode;
      for (const [name, value] of Object.entries(await tree(path))) found[`${entry.name}/${name}`] = value;
    } else found[entry.name] = `${mode} ${info.size} ${(await Deno.readTextFile(path)).slice(0, 20)}`;
  }
  return found;
}

Deno.test("a tree goes to a real host and comes back the same, over one connection", async () => {
  await using sshd = await startSshd({});
  const here = await Deno.makeTempDir();
  try {
    await Deno.mkdir(join(here, "src/sub/empty"), { recursive: true });
    await Deno.writeTextFile(join(here, "src/a.txt"), "a\n");
    await Deno.writeTextFile(join(here, "src/sub/run 'me'.sh"), "#!/bin/sh\n");
    await Deno.chmod(join(here, "src/sub/run 'me'.sh"), 0o750);
    await Deno.writeTextFile(join(here, "src/sub/large"), "x".repeat(5_000_000));
    await Deno.writeTextFile(join(here, "src/nothing"), "");
    await Deno.symlink("../a.txt", join(here, "src/sub/link"));
    const local = { configFile: sshd.configFile, share: false, prompter: noPrompter };
    await using host = await connect("test", local);
    const there = await host.copy(join(here, "src"), "there");
    assertEquals([there.files, there.symlinks], [4, 1]);
    assertEquals(await tree(join(sshd.home, "there")), await tree(join(here, "src")));
    await host.fetch("there", join(here, "back"));
    assertEquals(await tree(join(here, "back")), await tree(join(here, "src")));
    assertEquals([await sshd.connections(), host.load.channels], [1, 0]);
  } finally {
    await Deno.remove(here, { recursive: true });
  }
});

Deno.test("a connection lost in the middle of a copy leaves the old file under its name", async () => {
  await using sshd = await startSshd({});
  const here = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(join(here, "big"), "new".repeat(20_000_000));
    await Deno.writeTextFile(join(here, "small"), "old\n");
    await using host = await connect("test", {
      configFile: sshd.configFile,
      share: false,
      prompter: noPrompter,
    });
    await host.copy(join(here, "small"), "file");
    const dropped = Promise.withResolvers<void>();
    const copying = host.copy(join(here, "big"), "file", {
      onProgress: ({ bytes }) => bytes > 1_000_000 && dropped.resolve(sshd.dropConnections()),
    });
    const failed = assertRejects(() => copying, CopyError);
    await dropped.promise;
    await failed;
    assertEquals(await Deno.readTextFile(join(sshd.home, "file")), "old\n");
    await using again = await connect("test", {
      configFile: sshd.configFile,
      share: false,
      prompter: noPrompter,
    });
    await Deno.writeTextFile(join(here, "back"), "mine\n");
    await again.exec("head -c 60000000 /dev/zero > big");
    const cut = Promise.withResolvers<void>();
    const fetching = again.fetch("big", join(here, "back"), {
      onProgress: ({ bytes }) => bytes > 1_000_000 && cut.resolve(sshd.dropConnections()),
    });
    const ended = assertRejects(() => fetching, CopyError);
    await cut.promise;
    await ended;
    assertEquals(await Deno.readTextFile(join(here, "back")), "mine\n");
    assertEquals([...Deno.readDirSync(here)].map(({ name }) => name).toSorted(), ["back", "big", "small"]);
  } finally {
    await Deno.remove(here, { recursive: true });
  }
});

Deno.test("a forward of a host carries data until its handle is disposed", async () => {
  await using sshd = await startSshd({});
  await using host = await connect("test", {
    configFile: sshd.configFile,
    share: false,
    prompter: noPrompter,
  });
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    const conn = await listener.accept();
    await conn.readable.pipeTo(conn.writable);
  })();
  serving.catch(() => {}); // awaited below, if the test gets there
  const { port } = listener.addr as Deno.NetAddr;
  let listenPort: number;
  {
    await using forward = await host.forward({ local: 0, to: `127.0.0.1:${port}` });
    listenPort = forward.listenPort!;
    const conn = await Deno.connect({ hostname: "127.0.0.1", port: listenPort });
    const echoed = new Response(conn.readable).text();
    await conn.write(new TextEncoder().encode("through and back"));
    await conn.closeWrite(); // closing `writable` would end both directions
    assertEquals(await echoed, "through and back");
  }
  await serving;
  await assertRejects(
    () => Deno.connect({ hostname: "127.0.0.1", port: listenPort }),
    Deno.errors.ConnectionRefused,
  );
});
