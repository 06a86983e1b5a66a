// deno-lint-ignore-file no-explicit-any
// The boundary to ssh2: its objects are untyped here.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { type EmbeddedHost, startEmbeddedHost } from "../../lib/emulator/embedded_host.ts";
import { openssh } from "../support/openssh.ts";
import { Ssh2Client } from "./ssh2_client.ts";

/** Calls one of ssh2's callback methods. */
function call(sftp: any, method: string, ...args: unknown[]): Promise<any> {
  return new Promise((resolve, reject) =>
    sftp[method](
      ...args,
      (error: Error | undefined, value: unknown) => error ? reject(error) : resolve(value),
    )
  );
}

/** Runs stock sftp's batch against the host, or scp with its arguments. */
async function stock(
  host: EmbeddedHost,
  program: "sftp" | "scp",
  args: (where: string) => string[],
  batch = "",
) {
  const tools = await openssh();
  const directory = await Deno.makeTempDir({ prefix: "carpool-sftp-" });
  try {
    const { identityFile, knownHostsFile } = await host.writeClientFiles(directory);
    const { code, stdout, stderr } = await run(
      tools[program],
      [
        ...tools.sshOption,
        ...["-F", "none", "-i", identityFile, "-P", String(host.port)],
        ...["-o", `UserKnownHostsFile=${knownHostsFile}`, "-o", "GlobalKnownHostsFile=none"],
        ...["-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"],
        ...args(`${host.user}@${host.hostname}`),
      ],
      batch,
      tools.env,
    );
    return { code, stdout, stderr };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function run(program: string, args: string[], stdin: string, env: Readonly<Record<string, string>>) {
  const child = new Deno.Command(program, {
    args,
    env: { ...env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(stdin));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

Deno.test("embedded host's SFTP serves stock sftp: put, get, list, link, rename, change, remove", async () => {
  await using host = await startEmbeddedHost();
  const local = await Deno.makeTempDir({ prefix: "carpool-sftp-" });
  try {
    const bytes = crypto.getRandomValues(new Uint8Array(60_000));
    await Deno.writeFile(join(local, "up"), bytes, { mode: 0o640 });
    const batch = [
      `lcd ${local}`,
      "mkdir tree",
      "put -p up tree/file",
      "ln -s file tree/link",
      "ls -l tree",
      "rename tree/file tree/moved",
      "chmod 600 tree/moved",
      "get tree/moved down",
      "mkdir gone",
      "rmdir gone",
      "put up extra",
      "rm extra",
      "pwd",
      "-df", // may fail: no such extension here
    ].join("\n");
    const { code, stdout, stderr } = await stock(host, "sftp", (where) => ["-b", "-", where], batch);
    assertEquals(code, 0, stderr);
    assertEquals(await Deno.readFile(join(local, "down")), bytes);
    assert(stdout.includes(`Remote working directory: ${host.home}`), stdout);
    assert(/^-rw-r-----.*file$/m.test(stdout), stdout);
    assert(/^l.*link$/m.test(stdout), stdout);
    assertEquals(await Deno.readLink(join(host.home, "tree/link")), "file");
    assertEquals((await Deno.stat(join(host.home, "tree/moved"))).mode! & 0o777, 0o600);
    assertEquals(Array.from(Deno.readDirSync(host.home), (entry) => entry.name), ["tree"]);
  } finally {
    await Deno.remove(local, { recursive: true });
  }
});

Deno.test("embedded host's SFTP serves stock scp: a tree there and back, modes and times kept", async () => {
  await using host = await startEmbeddedHost();
  const local = await Deno.makeTempDir({ prefix: "carpool-sftp-" });
  try {
    await Deno.mkdir(join(local, "tree/empty"), { recursive: true });
    const large = new Uint8Array(3_000_000).map((_, index) => index % 251);
    await Deno.writeFile(join(local, "tree/large"), large);
    await Deno.writeTextFile(join(local, "tree/run ' me.sh"), "#!/bin/sh\n", { mode: 0o755 });
    await Deno.utime(join(local, "tree/large"), 1_000_000_000, 1_000_000_000);
    const up = await stock(host, "scp", (where) => ["-s", "-rp", join(local, "tree"), `${where}:`]);
    assertEquals(up.code, 0, up.stderr);
    const down = await stock(host, "scp", (where) => ["-s", "-rp", `${where}:tree`, join(local, "back")]);
    assertEquals(down.code, 0, down.stderr);
    assertEquals(await Deno.readFile(join(local, "back/large")), large);
    assertEquals((await Deno.stat(join(local, "back/large"))).mtime?.getTime(), 1_000_000_000_000);
    assertEquals((await Deno.stat(join(local, "back/run ' me.sh"))).mode! & 0o777, 0o755);
    assert((await Deno.stat(join(local, "back/empty"))).isDirectory);
  } finally {
    await Deno.remove(local, { recursive: true });
  }
});

Deno.test("embedded host's SFTP says what is wrong: missing, there already, not empty, not a directory", async () => {
  await using host = await startEmbeddedHost();
  await using client = await Ssh2Client.connect(host);
  const sftp = await client.sftp();
  await Deno.mkdir(join(host.home, "full"));
  await Deno.writeTextFile(join(host.home, "full/file"), "x");
  await assertRejects(() => call(sftp, "stat", "nothing"), Error, "No such file");
  await assertRejects(() => call(sftp, "open", "nothing", "r"), Error, "No such file");
  await assertRejects(() => call(sftp, "open", "full/file", "wx"), Error);
  await assertRejects(() => call(sftp, "mkdir", "full"), Error);
  await assertRejects(() => call(sftp, "rmdir", "full"), Error);
  await assertRejects(() => call(sftp, "unlink", "full"), Error);
  await assertRejects(() => call(sftp, "readdir", "full/file"), Error);
  await call(sftp, "writeFile", "other", "y");
  await assertRejects(() => call(sftp, "rename", "other", "full/file"), Error);
  await call(sftp, "ext_openssh_rename", "other", "full/file");
  assertEquals(await Deno.readTextFile(join(host.home, "full/file")), "y");
  // The session has survived all that.
  assertEquals((await call(sftp, "stat", "full/file")).size, 1);
  sftp.end();
});

Deno.test("embedded host's SFTP reaches nothing outside the home, by no kind of path", async () => {
  await using host = await startEmbeddedHost();
  await using client = await Ssh2Client.connect(host);
  const sftp = await client.sftp();
  const secret = await Deno.makeTempDir({ prefix: "carpool-sftp-" });
  try {
    await Deno.writeTextFile(join(secret, "file"), "secret");
    await Deno.symlink(secret, join(host.home, "door"));
    await Deno.symlink(join(secret, "new"), join(host.home, "dangling"));
    await Deno.symlink(join(secret, "file"), join(host.home, "window"));
    for (const path of [join(secret, "file"), "../../etc/passwd", "/etc/passwd", "door/file", "window"]) {
      await assertRejects(() => call(sftp, "open", path, "r"), Error, "Permission denied");
      await assertRejects(() => call(sftp, "stat", path), Error, "Permission denied");
    }
    await assertRejects(() => call(sftp, "open", "dangling", "w"), Error, "Permission denied");
    await assertRejects(() => call(sftp, "rename", "window", join(secret, "w")), Error, "Permission denied");
    await assertRejects(() => call(sftp, "mkdir", "door/new"), Error, "Permission denied");
    await assertRejects(() => call(sftp, "readdir", "door"), Error, "Permission denied");
    await assertRejects(() => call(sftp, "readdir", ".."), Error, "Permission denied");
    // The link itself is the home's, to look at and to remove.
    assertEquals(await call(sftp, "readlink", "window"), join(secret, "file"));
    await call(sftp, "unlink", "window");
    assertEquals(Array.from(Deno.readDirSync(secret), (entry) => entry.name), ["file"]);
  } finally {
    sftp.end();
    await Deno.remove(secret, { recursive: true });
  }
});
