import { systemWhy } from "../base/system_why.ts";
import { hashedName } from "./known_hosts_file.ts";
import type { Target } from "./target.ts";

/**
 * Appends a host's key to the user's first known_hosts file, made (0600, its directory 0700) where it is missing. Not
 * being able to is no reason not to connect, as for ssh: then `why` tells.
 */
export async function addKnownHost(
  target: Target,
  key: Uint8Array,
  type: string,
): Promise<
  { readonly path: string; readonly why?: undefined } | { readonly path?: undefined; readonly why: string }
> {
  const path = target.userKnownHostsFiles[0];
  if (path === undefined) return { why: "UserKnownHostsFile is none" };
  const name = target.hostKeyName.toLowerCase();
  const plain = target.hostKeyAlias ?? target.host;
  // What could be read as a pattern, a marker or a hash must not be written.
  if (/[@?*#[\]|'"\\\s,!]/.test(plain)) return { why: "its name cannot be written there" };
  const names = target.hashKnownHosts ? hashedName(name) : name;
  try {
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")) || "/", { recursive: true, mode: 0o700 });
    // One write of one whole line in append mode: two processes at once do not mix their lines.
    using file = await Deno.open(path, { append: true, read: true, create: true, mode: 0o600 });
    const line = `${await endsOpen(file) ? "\n" : ""}${names} ${type} ${key.toBase64()}\n`;
    await writeWhole(file, new TextEncoder().encode(line));
    return { path };
  } catch (error) {
    return { why: systemWhy(error) };
  }
}

/** Whether the file's last line lacks its newline. */
async function endsOpen(file: Deno.FsFile): Promise<boolean> {
  const { size } = await file.stat();
  if (size === 0) return false;
  await file.seek(-1, Deno.SeekMode.End);
  const last = new Uint8Array(1);
  return await file.read(last) === 1 && last[0] !== 0x0a;
}

async function writeWhole(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  while (bytes.length > 0) bytes = bytes.subarray(await file.write(bytes));
}
