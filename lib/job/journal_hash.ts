import { join } from "../deps/node_path.ts";
import { makeJournalDirectory } from "./journal_place.ts";
import { actionsOf, type Plan } from "./planned.ts";

/** What about a step may change without it being another step: how it is called and how patiently it is tried. */
const notInput: ReadonlySet<string> = new Set([
  ...["step", "name", "title", "where", "timeoutMs", "retries", "delayMs", "tags", "quiet"],
]);

/** Files up to this size are known by their content; larger ones by size and time, as rsync knows them. */
const readUpToBytes = 1024 * 1024;

/** A tree with more entries is known by its first ones: looking at it must not take longer than copying it. */
const maxEntries = 20_000;

/** The hash of a planned step's input. */
export type HashOf = (host: string, step: string) => string;

/**
 * Hashes the input of every step of a plan: what it does, with which variables, and the local files it takes along.
 * Keyed with a secret of this account, so that a journal that leaks gives nobody the means to guess a password in a
 * command.
 */
export async function hashInputs(plan: Plan, directory: string): Promise<HashOf> {
  const key = await importKey(await accountKey(directory));
  const files = new Map<string, Promise<string>>();
  const hashes = new Map<string, Promise<string>>();
  const found = new Map<string, string>();
  const encoder = new TextEncoder();
  const hash = async (text: string) => {
    const bytes = new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(text)));
    return bytes.subarray(0, 12).toBase64({ alphabet: "base64url" });
  };
  const fileOf = (path: string) => {
    const known = files.get(path) ?? describeFile(path);
    files.set(path, known);
    return known;
  };
  await Promise.all(
    plan.hosts.flatMap(({ host, steps, finally: last, scope }) =>
      actionsOf([...steps, ...last ?? []]).map(async (action) => {
        // What scripts and templates take along is in the plan itself.
        const path = action.kind === "copy" ? action.from : undefined;
        const input = Object.entries(action).filter(([name]) => !notInput.has(name));
        // What the run itself fills in comes from the host's variables.
        const isLate = action.late === true || action.when !== undefined || action.whenCalls !== undefined;
        const text = JSON.stringify([input, isLate ? scope : undefined], (_, value: unknown) =>
          typeof value === "function" ? `${value}` : value) +
          (path === undefined ? "" : `\n${await fileOf(path)}`);
        // Most steps are the same on every host.
        const known = hashes.get(text) ?? hash(text);
        hashes.set(text, known);
        found.set(`${host}\0${action.step}`, await known);
      })
    ),
  );
  return (host, step) => found.get(`${host}\0${step}`) ?? "";
}

/** A file or tree in a few words that change when it does. */
async function describeFile(path: string): Promise<string> {
  const lines: string[] = [];
  const walk = async (at: string, name: string) => {
    if (lines.length >= maxEntries) return;
    try {
      const info = await Deno.lstat(at);
      if (info.isDirectory) {
        const names: string[] = [];
        for await (const entry of Deno.readDir(at)) names.push(entry.name);
        for (const child of names.sort()) await walk(join(at, child), `${name}/${child}`);
      } else {
        const content = info.isFile && info.size <= readUpToBytes && name === ""
          ? (await Deno.readFile(at)).toBase64()
          : info.isSymlink
          ? await Deno.readLink(at)
          : info.mtime?.getTime();
        lines.push(`${name} ${info.mode} ${info.size} ${content}`);
      }
    } catch (cause) {
      // Whoever copies it will say so; here it only has to differ from what was there.
      lines.push(`${name} ${cause instanceof Error ? cause.name : "unreadable"}`);
    }
  };
  await walk(path, "");
  return lines.join("\n");
}

async function accountKey(directory: string): Promise<Uint8Array<ArrayBuffer>> {
  await makeJournalDirectory(directory);
  const path = join(directory, "journal.key");
  const key = crypto.getRandomValues(new Uint8Array(32));
  const own = `${path}.${crypto.randomUUID()}`;
  const known = await readKey(path);
  if (known) return known;
  // Written under another name and linked: whoever finds it finds it whole, and of two that begin at once both use one.
  await Deno.writeFile(own, key, { createNew: true, mode: 0o600 });
  try {
    await Deno.link(own, path);
    return key;
  } catch (cause) {
    if (!(cause instanceof Deno.errors.AlreadyExists)) throw cause;
    return await readKey(path) ?? key;
  } finally {
    await Deno.remove(own);
  }
}

async function readKey(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    const bytes = await Deno.readFile(path);
    return bytes.length === 32 ? bytes : undefined;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw cause;
  }
}

function importKey(bytes: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
}
