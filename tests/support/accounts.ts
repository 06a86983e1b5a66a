/** The accounts that a test's sshd sees through libnss_wrapper. */
import { join } from "@std/path";
import { CarpoolError } from "../../lib/base/errors.ts";

export interface Accounts {
  readonly users: readonly string[];
  readonly uid: number;
  readonly gid: number;
  readonly shell: string;
  readonly homes: string;
  readonly password?: string;
}

/** The accounts, and `sshd`, without which the server does not start. */
export async function passwdFile({ users, uid, gid, shell, homes, password }: Accounts): Promise<string> {
  const hash = password === undefined ? "x" : await crypt(password);
  const lines = users.map((name) => `${name}:${hash}:${uid}:${gid}:${name}:${join(homes, name)}:${shell}`);
  return [...lines, "root:x:0:0:root:/root:/bin/sh", "sshd:x:20021:20021::/:/usr/sbin/nologin", ""].join(
    "\n",
  );
}

/** sshd hands a terminal to the group `tty`: it must be the one that new terminals have, or it tries to chown. */
export async function groupFile({ users, gid }: Accounts): Promise<string> {
  const mounts = await Deno.readTextFile("/proc/mounts").catch(() => "");
  const tty = /^\S+ \/dev\/pts devpts \S*\bgid=(\d+)/m.exec(mounts)?.[1] ?? gid;
  return `${users[0]}:x:${gid}:\nroot:x:0:\nsshd:x:20021:\ntty:x:${tty}:\n`;
}

/** The hash that crypt(3) understands; perl is the one program on every Debian that can make it. */
async function crypt(password: string): Promise<string> {
  const salt = crypto.randomUUID().replaceAll("-", "").slice(0, 12);
  const command = new Deno.Command("perl", {
    args: ["-e", "chomp(my $p = <STDIN>); print crypt($p, $ARGV[0])", `$6$${salt}$`],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  });
  const child = command.spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(password + "\n"));
  await writer.close();
  const { success, stdout, stderr } = await child.output();
  const hash = new TextDecoder().decode(stdout);
  if (success && hash.startsWith("$6$")) return hash;
  throw new CarpoolError("no-crypt", {
    what: "Cannot hash the test account's password",
    where: "perl",
    why: new TextDecoder().decode(stderr).trim() || "its crypt() knows no SHA-512",
    fix: "install perl-base",
  });
}
