import { explainMissingPackage } from "../base/load_package.ts";
import { shellJoin } from "../base/shell_quote.ts";
import { joinPath, lastName, namesContents, parentPath } from "../host/copy_names.ts";
import { readLocalTree } from "../host/local_tree.ts";
import { quotePath } from "../host/command_line.ts";
import type { JobHost } from "./job_host.ts";
import type { PlannedCopy, PlannedTemplate } from "./planned.ts";

/** Files up to this size are compared. */
export const maxDiffBytes = 256 * 1024;
/** Files of one step that are compared. */
export const maxDiffFiles = 100;
/** One comparison may take this long: two texts that have nothing in common take the square of their length. */
const maxDiffMs = 2000;

/** What a step would do to one remote file. */
export interface FileDiff {
  /** Remote path. */
  readonly path: string;
  /** `hidden`: it holds secrets; `too-large`: it was not compared. */
  readonly change: "new" | "changed" | "same" | "binary" | "too-large" | "unreadable" | "hidden";
  /** A unified diff, where both are text and differ. */
  readonly patch?: string;
  /** Why it could not be read. */
  readonly why?: string;
}

/** What a step would change, and how many of its files were not looked at. */
export interface StepDiff {
  readonly files: readonly FileDiff[];
  readonly notCompared: number;
  /** The remote directory that must be there, and is not: the step would fail. */
  readonly missing?: string;
}

/** How texts are compared. */
export interface DiffOptions {
  readonly signal: AbortSignal;
  /** Hides what must not be shown. */
  readonly redact: (text: string) => string;
  /** Remote directories that earlier copies will have made. */
  readonly made: ReadonlySet<string>;
}

/** Compares what a copy or template would write with what lies on the host; reads there and changes nothing. */
export async function diffStep(
  host: JobHost,
  action: PlannedCopy | PlannedTemplate,
  options: DiffOptions,
): Promise<StepDiff> {
  const target = await targetOf(host, action, options.signal);
  const found = action.kind === "template"
    ? [{ path: target, read: () => encode(action.content) }]
    : await filesOf(action, target, options.signal);
  const compared = found.slice(0, maxDiffFiles);
  const files: FileDiff[] = [];
  for (const { path, read } of compared) {
    options.signal.throwIfAborted();
    if (action.secret) files.push({ path, change: "hidden" });
    else files.push(await diffFile(host, path, await read(), options));
  }
  // Where a file of the step lies already, its directory does too.
  const wouldFail = files.every(({ change }) => change === "new" || change === "hidden");
  const missing = wouldFail ? await missingDirectory(host, action, options) : undefined;
  return {
    files,
    notCompared: found.length - compared.length,
    ...(missing === undefined ? {} : { missing }),
  };
}

/** The directory that a step needs and does not make, where it is not there: it makes no more than its target itself. */
async function missingDirectory(
  host: JobHost,
  { to }: PlannedCopy | PlannedTemplate,
  { made, signal }: DiffOptions,
): Promise<string | undefined> {
  const needed = parentPath(to);
  if (made.has(needed)) return undefined;
  const { success } = await host.exec(`test -d ${quotePath(needed)}`, { signal });
  return success ? undefined : needed;
}

interface WouldBe {
  readonly path: string;
  /** Its content; undefined where it is too large. */
  readonly read: () => Promise<Uint8Array | undefined>;
}

async function filesOf(action: PlannedCopy, target: string, signal: AbortSignal): Promise<WouldBe[]> {
  const { isDirectory } = await Deno.stat(action.from);
  if (!isDirectory) return [{ path: target, read: () => readUpTo(action.from) }];
  const tree = await readLocalTree(
    action.from,
    () => {/* the copy itself will tell */},
    signal,
    action.exclude,
  );
  return tree.files.map(({ relative, path }) => ({
    path: joinPath(target, relative),
    read: () => readUpTo(path),
  }));
}

/** Where a step would put its file or tree: into a directory that is there, or under the name that was given. */
async function targetOf(
  host: JobHost,
  { from, to, kind }: PlannedCopy | PlannedTemplate,
  signal: AbortSignal,
): Promise<string> {
  if (kind === "template" || namesContents(from)) return to;
  if (to.endsWith("/")) return joinPath(to, lastName(from));
  const { success } = await host.exec(`test -d ${quotePath(to)}`, { signal });
  return success ? joinPath(to, lastName(from)) : to;
}

async function readUpTo(path: string): Promise<Uint8Array | undefined> {
  const { size } = await Deno.stat(path);
  return size > maxDiffBytes ? undefined : await Deno.readFile(path);
}

async function diffFile(
  host: JobHost,
  path: string,
  wanted: Uint8Array | undefined,
  { signal, redact }: DiffOptions,
): Promise<FileDiff> {
  if (wanted === undefined) return { path, change: "too-large" };
  const there = await readRemote(host, path, signal);
  if ("why" in there) return { path, change: "unreadable", why: redact(there.why) };
  const { bytes } = there;
  if (bytes === undefined) {
    const text = textOf(wanted);
    return text === undefined
      ? { path, change: "new", why: `binary, ${wanted.length} bytes` }
      : { path, change: "new", ...await patchOf(path, undefined, redact(text)) };
  }
  if (bytes.length > maxDiffBytes) return { path, change: "too-large" };
  if (equal(bytes, wanted)) return { path, change: "same" };
  const [before, after] = [textOf(bytes), textOf(wanted)];
  if (before === undefined || after === undefined) return { path, change: "binary" };
  const [shownBefore, shownAfter] = [redact(before), redact(after)];
  if (shownBefore === shownAfter) return { path, change: "hidden", why: "only secrets differ" };
  return { path, change: "changed", ...await patchOf(path, shownBefore, shownAfter) };
}

async function patchOf(
  path: string,
  before: string | undefined,
  after: string,
): Promise<Pick<FileDiff, "patch" | "why">> {
  const { createTwoFilesPatch } = await explainMissingPackage(() => import("../deps/diff.ts"));
  const [from, to] = [before === undefined ? "/dev/null" : path, path];
  const options = { context: 3, timeout: maxDiffMs };
  const patch = createTwoFilesPatch(from, to, before ?? "", after, undefined, undefined, options);
  return patch === undefined ? { why: "too different to show" } : { patch: patch.replace(/^=+\n/, "") };
}

/** The remote file's bytes, one more than are compared where it is larger; `bytes` undefined where there is none. */
async function readRemote(
  host: JobHost,
  path: string,
  signal: AbortSignal,
): Promise<{ readonly bytes: Uint8Array | undefined } | { readonly why: string }> {
  // Any login shell can read this; the path is a parameter of sh, except for the remote home before it.
  const script = `test -e "$1" || exit 44; exec head -c ${maxDiffBytes + 1} "$1"`;
  const command = `${shellJoin(["sh", "-c", script, "sh"])} ${quotePath(path)}`;
  const process = await host.spawn(command, { signal });
  process.stdin.close().catch(() => {/* it has ended already */});
  const [bytes, complaint, status] = await Promise.all([
    new Response(process.stdout as ReadableStream<Uint8Array<ArrayBuffer>>).bytes(),
    new Response(process.stderr as ReadableStream<Uint8Array<ArrayBuffer>>).text(),
    process.status,
  ]);
  if (status.success) return { bytes };
  if (status.code === 44) return { bytes: undefined };
  signal.throwIfAborted();
  if (status.error) throw status.error;
  return { why: complaint.trim().split("\n").at(-1) || `exit status ${status.code}` };
}

/** The text, or undefined for what is none. */
function textOf(bytes: Uint8Array): string | undefined {
  if (bytes.subarray(0, 8000).includes(0)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function encode(text: string): Promise<Uint8Array> {
  return Promise.resolve(new TextEncoder().encode(text));
}

function equal(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, i) => byte === other[i]);
}
