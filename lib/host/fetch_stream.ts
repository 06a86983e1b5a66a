/** A remote tree, or a small file, as tar streams. Nothing of what arrives is trusted: see `fetch_list.ts`. */
import { ProtocolError } from "../base/errors.ts";
import { decodeName, nameFault } from "./copy_names.ts";
import type { CopyPeer } from "./copy_peer.ts";
import { parseRecords, type RemoteRecord } from "./copy_records.ts";
import type { CopyRun } from "./copy_run.ts";
import { LIST_END, PULL, TAKE } from "./copy_script.ts";
import type { CopyShell } from "./copy_shell.ts";
import { MAX_LISTING_BYTES, plainPath } from "./copy_look.ts";
import {
  checkedLink,
  MAX_ENTRIES,
  type RemoteEntry,
  type RemoteSymlink,
  type RemoteTree,
  unfit,
} from "./fetch_list.ts";
import { LocalTurn } from "./local_turn.ts";
import { StagedFile } from "./staged_file.ts";
import { fileKind } from "./sftp_files.ts";
import { type TarItem, TarReader } from "./tar_reader.ts";

const MAX_GREETING_BYTES = 100;
/** Files finished at once, while the stream goes on. */
const AT_ONCE = 16;

/** What a host has at a path, and the session that it said it in. */
export interface Offer {
  readonly shell: CopyShell;
  readonly kind: "file" | "directory";
  /** What its clock is ahead of ours, in seconds. */
  readonly aheadSeconds: number;
  /** By path relative to the top, which is `.`. */
  readonly records: ReadonlyMap<string, RemoteRecord>;
  /** Names that are not UTF-8 are among them. */
  readonly odd: boolean;
  /** The contents follow, or wait to be asked for by name; or the file that is here is the same. */
  readonly state: "eager" | "waiting" | "same";
}

/**
 * Asks for what is at a path; undefined where the host cannot say.
 *
 * @param have size and time of the local file that it may be compared with
 */
export async function offerFromHost(
  run: CopyRun,
  peer: CopyPeer,
  path: string,
  eager: boolean,
  have: { readonly size: number; readonly mtime: number } | undefined,
): Promise<Offer | undefined> {
  const mine = have ? `${have.size},${have.mtime}` : "";
  const shell = await peer.shell(PULL, [plainPath(path), eager ? "e" : "", mine], run.signal);
  if (shell === undefined) return undefined;
  const offer = await readOffer(shell);
  run.signal.throwIfAborted();
  if (offer === undefined) await shell.stop();
  return offer;
}

async function readOffer(shell: CopyShell): Promise<Offer | undefined> {
  const [kind, now] = new TextDecoder().decode(await shell.readUntil("/", MAX_GREETING_BYTES)).split(",");
  if (kind !== "d" && kind !== "f") return undefined;
  const listing = await shell.readUntil(LIST_END, MAX_LISTING_BYTES);
  const state = await shell.readUntil("\n", MAX_GREETING_BYTES);
  if (listing === undefined || state === undefined) return undefined;
  const end = listing.subarray(-2);
  if (end[0] !== 0x6f || end[1] !== 0x6b) return undefined; // not "ok"
  const records = parseRecords(listing);
  if (!records.has(".")) return undefined;
  return {
    shell,
    kind: kind === "d" ? "directory" : "file",
    aheadSeconds: Number(now) - Date.now() / 1000,
    records,
    odd: decodeName(listing) === undefined,
    state: state[0] === 0x65 ? "eager" : state[0] === 0x73 ? "same" : "waiting",
  };
}

/**
 * The tree that a host has offered; its symlinks have no targets yet. Undefined where something in it has to be named to
 * the user, which a listing entry by entry does.
 */
export function offeredTree(
  run: CopyRun,
  peer: { readonly where: string },
  path: string,
  offer: Pick<Offer, "records" | "odd">,
): (Omit<RemoteTree, "symlinks"> & { readonly links: readonly RemoteEntry[] }) | undefined {
  if (offer.odd || offer.records.size > MAX_ENTRIES) return undefined;
  const levels: RemoteEntry[][] = [];
  const files: RemoteEntry[] = [];
  const links: RemoteEntry[] = [];
  let totalBytes = 0;
  const directories = new Map<string, number>();
  // Parents before children, whatever the order they came in.
  const sorted = [...offer.records].map(([name, record]) => ({
    parts: name === "." ? [] : name.split("/"),
    relative: name === "." ? "" : name,
    attributes: { permissions: record.mode, size: record.size, mtime: Math.max(0, record.mtime) },
  })).sort((a, b) => a.parts.length - b.parts.length);
  for (const { parts, relative, attributes } of sorted) {
    const above = parts.slice(0, -1).join("/");
    const fault = parts.some((part) => nameFault(part, new TextEncoder().encode(part).length) !== undefined);
    if (fault || (parts.length > 0 && directories.get(above) !== parts.length - 1)) return undefined;
    const entry = {
      relative,
      path: relative === "" ? path : `${path.replace(/\/$/, "")}/${relative}`,
      attributes,
    };
    switch (fileKind(attributes)) {
      case "directory":
        directories.set(relative, parts.length);
        (levels[parts.length] ??= []).push(entry);
        break;
      case "file":
        files.push(entry);
        totalBytes += attributes.size;
        break;
      case "symlink":
        links.push(entry);
        break;
      default:
        run.leaveOut(unfit(peer, entry.path, "it is neither a file nor a directory nor a symlink"));
    }
  }
  return levels.length === 0 ? undefined : { levels, files, links, totalBytes };
}

/** A session that gives files of a directory by name. */
export async function takeFromHost(
  run: CopyRun,
  peer: CopyPeer,
  top: string,
): Promise<CopyShell | undefined> {
  return await peer.shell(TAKE, [plainPath(top)], run.signal);
}

/** What is wanted of a stream, by path relative to the top. */
export interface Wanted {
  readonly files: ReadonlyMap<string, { readonly entry: RemoteEntry; readonly target: string }>;
  readonly links: ReadonlyMap<string, RemoteEntry>;
}

/**
 * Takes files and symlinks from a stream. Files get their names when the sender has said that all went well: one that
 * shrank while it was read looks whole. Returns whether it did; what is not done then is for SFTP.
 */
export async function receiveStream(
  run: CopyRun,
  peer: { readonly where: string },
  shell: Pick<CopyShell, "read" | "succeeded">,
  wanted: Wanted,
): Promise<{ readonly symlinks: readonly RemoteSymlink[] } | undefined> {
  const tar = new TarReader(() => shell.read());
  const staged: { readonly relative: string; readonly file: StagedFile }[] = [];
  const seen = new Set<string>();
  const symlinks = new Map<string, RemoteSymlink>();
  const writing = new Set<Promise<void>>();
  const turn = new LocalTurn();
  let failure: { readonly error: unknown } | undefined;
  try {
    for (let item: TarItem | undefined; (item = await tar.next()) !== undefined;) {
      const relative = item.name?.replace(/^\.\//, "") ?? "";
      const link = item.kind === "symlink" ? wanted.links.get(relative) : undefined;
      if (link && !symlinks.has(relative)) {
        const good = checkedLink(run, peer, link, item.target);
        if (good) symlinks.set(relative, good);
      }
      const wants = item.kind === "file" ? wanted.files.get(relative) : undefined;
      if (wants === undefined || seen.has(relative)) continue;
      seen.add(relative);
      const file = new StagedFile(wants.target);
      staged.push({ relative, file });
      await file.receive(item.size, () => tar.body(), (bytes) => run.progress(relative, bytes));
      if (file.isSmall && turn.isFast) {
        turn.look(() => file.finishNow(run, wants.entry.attributes));
        await turn.pause();
        continue;
      }
      const finishing: Promise<void> = file.finish(run, wants.entry.attributes)
        .catch((error) => void (failure ??= { error })).finally(() => writing.delete(finishing));
      writing.add(finishing);
      if (writing.size >= AT_ONCE) await Promise.race(writing);
      if (failure) throw failure.error;
    }
    await Promise.all(writing);
    if (failure) throw failure.error;
    if (!await shell.succeeded()) return undefined;
    await run.each(staged, AT_ONCE, async ({ relative, file }) => {
      run.placed(relative, turn.isFast ? turn.look(() => file.placeNow()) : await file.place());
      await turn.pause();
    });
    return { symlinks: [...symlinks.values()] };
  } catch (error) {
    run.signal.throwIfAborted();
    // Not a tar stream to its end: whatever ended it, the session tells, or SFTP will.
    if (!(error instanceof ProtocolError)) throw error;
    if (error.code === "truncated") await shell.succeeded();
    return undefined;
  } finally {
    await Promise.allSettled(writing);
    await Promise.all(staged.map(({ file }) => file.discard()));
  }
}
