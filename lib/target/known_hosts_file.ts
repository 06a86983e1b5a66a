import { createHmac } from "node:crypto";
import { FileMemory } from "./file_memory.ts";
import { matchHostList } from "./pattern.ts";
import { decodeKey, keyTypeOf } from "./public_key.ts";

/** One line of known_hosts (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT). */
export interface KnownHost {
  /** `file:line` */
  readonly where: string;
  readonly marker: "none" | "revoked" | "cert-authority";
  /** Patterns separated by commas, or one hashed name. */
  readonly names: string;
  readonly type: string;
  readonly blob: Uint8Array;
}

/** Reads a known_hosts file; lines that make no sense are passed over, as OpenSSH does. */
export function* readKnownHosts(text: string, path: string): Generator<KnownHost> {
  let lineNumber = 0;
  for (const line of text.split("\n")) {
    lineNumber++;
    const entry = readLine(line.trim());
    if (entry) yield { ...entry, where: `${path}:${lineNumber}` };
  }
}

// [@marker] names type base64 [comment]
function readLine(line: string): Omit<KnownHost, "where"> | undefined {
  if (line === "" || line.startsWith("#")) return undefined;
  const fields = line.split(/[ \t]+/);
  const mark = fields[0].startsWith("@") ? fields.shift()!.slice(1) : "none";
  if (mark !== "none" && mark !== "revoked" && mark !== "cert-authority") return undefined;
  const [names, type, base64] = fields;
  if (base64 === undefined) return undefined;
  const blob = decodeKey(base64);
  if (blob === undefined || keyTypeOf(blob) !== type) return undefined;
  return { marker: mark, names, type, blob };
}

/** The lines of a known_hosts file, to be asked about many hosts. */
export class KnownHostsFile {
  /** Lines that name hosts in so many words, by each of the names in lower case. */
  readonly #named = new Map<string, number[]>();
  /** Lines with patterns and hashed names: each has to be looked at for each host. */
  readonly #others: number[] = [];
  readonly #lines: readonly KnownHost[];

  constructor(lines: Iterable<KnownHost>) {
    this.#lines = [...lines];
    for (const [index, { names }] of this.#lines.entries()) {
      if (names.startsWith("|") || /[*?!]/.test(names)) {
        this.#others.push(index);
        continue;
      }
      for (const name of names.toLowerCase().split(",")) {
        const found = this.#named.get(name);
        if (found === undefined) this.#named.set(name, [index]);
        else found.push(index);
      }
    }
  }

  /** The lines about a host (`name`, `[name]:port`, or an alias, in lower case), in their order. */
  about(name: string): KnownHost[] {
    const found = [
      ...new Set(this.#named.get(name)),
      ...this.#others.filter((index) => isAbout(this.#lines[index], name)),
    ];
    return found.sort((a, b) => a - b).map((index) => this.#lines[index]);
  }
}

const nobody = new KnownHostsFile([]);
const files = new FileMemory<KnownHostsFile>(
  async (path) => new KnownHostsFile(readKnownHosts(await Deno.readTextFile(path), path)),
  { absent: { made: nobody } },
);

/**
 * A known_hosts file as it is now; taken apart once, however many hosts ask. One that is unreadable knows nobody, as for
 * ssh; and is read again the next time: it may have been for want of a file descriptor.
 */
export function knownHostsFile(path: string): Promise<KnownHostsFile> {
  return files.get(path).catch(() => nobody);
}

/** Whether a line is about the host: `name`, `[name]:port`, or an alias, in lower case. */
export function isAbout(entry: KnownHost, name: string): boolean {
  if (!entry.names.startsWith("|")) return matchHostList(name, entry.names) === "yes";
  const [, version, salt, hash, ...more] = entry.names.split("|");
  if (version !== "1" || more.length > 0) return false;
  try {
    const bytes = Uint8Array.fromBase64(salt);
    return bytes.length > 0 && hashWithSalt(name, bytes) === hash;
  } catch {
    return false; // not base64
  }
}

/** A name in hashed form: `|1|salt|HMAC-SHA1`. */
export function hashedName(name: string): string {
  const salt = crypto.getRandomValues(new Uint8Array(20));
  return `|1|${salt.toBase64()}|${hashWithSalt(name, salt)}`;
}

/** In this thread: a file of a thousand hashed lines would take a thousand turns of another, for each host. */
function hashWithSalt(name: string, salt: Uint8Array): string {
  return createHmac("sha1", salt).update(name).digest("base64");
}
