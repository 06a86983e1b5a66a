/** What a host says of paths of its own before it gets a stream, or where it gives one. */
import { concat } from "../base/bytes.ts";
import type { CopyPeer } from "./copy_peer.ts";
import { parseHashes, parseRecords, type RemoteRecord } from "./copy_records.ts";
import type { CopyRun } from "./copy_run.ts";
import { LIST_END, LOOK } from "./copy_script.ts";
import { type CopyShell, LINE_END } from "./copy_shell.ts";

/** A listing may not be longer than this; an honest one is about as long as the names that were asked for. */
export const MAX_LISTING_BYTES = 256 * 1024 * 1024;
const MAX_GREETING_BYTES = 100;

/** What the script says before it takes a stream. */
export interface Greeting {
  readonly there: boolean;
  readonly named: boolean;
  readonly made: boolean;
  readonly group: boolean;
  readonly aheadSeconds: number;
  readonly records: Map<string, RemoteRecord>;
  readonly hashes: Map<string, string>;
}

export async function readGreeting(shell: CopyShell, withHashes: boolean): Promise<Greeting | undefined> {
  const said = await shell.readUntil("/", MAX_GREETING_BYTES);
  const [state, named, made, group, now] = new TextDecoder().decode(said).split(",");
  if (state !== "d" && state !== "n") return undefined;
  const listing = await shell.readUntil(LIST_END, MAX_LISTING_BYTES);
  const lines = withHashes ? await shell.readUntil(LIST_END, MAX_LISTING_BYTES) : new Uint8Array(0);
  if (listing === undefined || lines === undefined) return undefined;
  return {
    there: state === "d",
    named: named === "n",
    made: made === "m",
    group: group === "g",
    aheadSeconds: Number(now) - Date.now() / 1000,
    records: parseRecords(listing),
    hashes: parseHashes(lines),
  };
}

/** SHA-256 of files below a directory, by path relative to it; undefined where the host cannot tell. */
export async function remoteHashes(
  run: CopyRun,
  peer: CopyPeer,
  top: string,
  paths: readonly string[],
): Promise<Map<string, string> | undefined> {
  const lines = await askAbout(run, peer, top, paths.map((path) => `./${path}`), true);
  return lines && parseHashes(lines);
}

/** As the greeting does, for more names than a command can hold. */
export async function look(
  run: CopyRun,
  peer: CopyPeer,
  top: string,
  names: readonly string[],
): Promise<Pick<Greeting, "records" | "hashes"> | undefined> {
  const [listing, lines] = await Promise.all([
    askAbout(run, peer, top, names, false),
    run.options.update === "checksum" ? askAbout(run, peer, top, names, true) : new Uint8Array(0),
  ]);
  return listing && lines && { records: parseRecords(listing), hashes: parseHashes(lines) };
}

async function askAbout(
  run: CopyRun,
  peer: CopyPeer,
  top: string,
  names: readonly string[],
  hashes: boolean,
): Promise<Uint8Array | undefined> {
  const shell = await peer.shell(LOOK, [plainPath(top), hashes ? "c" : ""], run.signal);
  if (shell === undefined) return undefined;
  const writing = shell.write(nameList(names)).then(() => shell.endInput()).catch(() => {}); // its answer tells
  const answer = await shell.readUntil(LIST_END, MAX_LISTING_BYTES);
  await writing;
  await shell.stop();
  run.signal.throwIfAborted();
  return answer;
}

/** Names as a script takes them on its standard input. */
export function nameList(names: readonly string[]): Uint8Array {
  return concat([LINE_END, new TextEncoder().encode(names.map((name) => `${name}\0`).join(""))]);
}

/** A path for a script: none looks like an option, and none ends in a slash. */
export function plainPath(path: string): string {
  const bare = path.replace(/(?<=.)\/+$/, "");
  return /^\.{0,2}\//.test(bare) || bare === "." || bare === ".." ? bare : `./${bare}`;
}
