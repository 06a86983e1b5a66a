import { fromRecord } from "../base/error_record.ts";
import { CarpoolError, MasterError } from "../base/errors.ts";
import type { Prompter } from "../target/prompter.ts";
import { type KeeperAnswer, type KeeperReply, type KeeperRequest, LineConn } from "./keeper_protocol.ts";
import type { MasterInfo } from "./master.ts";
import { inspectSocket, KEEPER_PROTOCOL, type Place, places } from "./places.ts";

/** A keeper that does not say hello within this time is wedged. It waits for nobody, so a live one takes milliseconds. */
const HELLO_DEADLINE_MS = 4_000;

/** How soon a keeper's socket is dialled again whose backlog is full. */
const REDIAL_MS = 10;

/**
 * Connects to the keeper of one place; undefined when nobody listens there. Throws `MasterError`: `wedged` when
 * somebody listens and does not say hello, `foreign-socket` for a socket that is not ours.
 */
export async function dialPlace(
  place: Place,
  deadlineMs = HELLO_DEADLINE_MS,
): Promise<LineConn | undefined> {
  if (inspectSocket(place.keeperSocket) === "missing") return undefined;
  const startedAt = performance.now();
  const left = () => deadlineMs - (performance.now() - startedAt);
  for (;;) {
    try {
      const conn = await Deno.connect({ transport: "unix", path: place.keeperSocket });
      return await greet(new LineConn(conn), left(), () => wedged(place, deadlineMs));
    } catch (error) {
      if (error instanceof CarpoolError) throw error;
      if (error instanceof Deno.errors.NotCapable) throw notAllowed(place, error);
      // A full backlog (EAGAIN) is no sign of death.
      const busy = error instanceof Deno.errors.WouldBlock ||
        (error instanceof Error && /os error (11|35)\b/.test(error.message));
      if (!busy) return undefined; // dead: whoever starts the next keeper replaces it
      if (left() <= 0) throw wedged(place, deadlineMs);
      await new Promise((resolve) => setTimeout(resolve, REDIAL_MS));
    }
  }
}

/** Waits for the keeper's hello; undefined when it hangs up instead, because it is just leaving. */
async function greet(
  line: LineConn,
  deadlineMs: number,
  wedged: () => MasterError,
): Promise<LineConn | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deadline = new Promise<"late">((resolve) =>
    timer = setTimeout(() => resolve("late"), Math.max(0, deadlineMs))
  );
  const hello = line.next<KeeperReply>();
  hello.catch(() => {}); // it may come to nothing after the deadline
  try {
    const first = await Promise.race([hello, deadline]);
    if (first === "late") throw wedged();
    if (first?.type === "hello" && first.protocol === KEEPER_PROTOCOL) return line;
    line.close();
    return undefined;
  } catch (error) {
    line.close();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** What the keeper has opened, or found open. */
export interface Opened {
  readonly controlPath: string;
  /** Whether this request made the connection. */
  readonly started: boolean;
  readonly info: MasterInfo;
}

/**
 * Has the keeper open a master, answering its questions here. Rejects with the error that the keeper met; `MasterError`
 * ("gone") when it leaves before it has answered.
 */
export async function askToOpen(
  line: LineConn,
  request: Extract<KeeperRequest, { type: "open" }>,
  prompter: Prompter,
  signal?: AbortSignal,
): Promise<Opened> {
  signal?.throwIfAborted();
  const abort = () => line.close(); // the keeper goes on for the others who wait
  signal?.addEventListener("abort", abort, { once: true });
  let over: AbortController | undefined; // takes a question back that nobody waits for any more
  const { promise: failed, reject } = Promise.withResolvers<never>();
  failed.catch(() => {});
  try {
    await line.send(request);
    for (;;) {
      const reply = await Promise.race([line.next<KeeperReply>(), failed]);
      signal?.throwIfAborted();
      switch (reply?.type) {
        case "ask": {
          const { signal: taken } = over ??= new AbortController();
          const asked = signal ? AbortSignal.any([signal, taken]) : taken;
          answer(reply, prompter, asked).then((message) => line.send(message)).catch((error) => {
            if (!taken.aborted) reject(error);
          });
          break;
        }
        case "notice":
          prompter.notice(reply.message);
          break;
        case "opened":
          return { controlPath: reply.controlPath, started: reply.started, info: reply.info };
        case "failed":
          throw fromRecord(reply.error);
        default:
          throw keeperGone();
      }
    }
  } catch (error) {
    throw signal?.aborted ? signal.reason : error instanceof Deno.errors.BrokenPipe ? keeperGone() : error;
  } finally {
    over?.abort();
    signal?.removeEventListener("abort", abort);
  }
}

async function answer(
  question: Extract<KeeperReply, { type: "ask" }>,
  prompter: Prompter,
  signal: AbortSignal,
): Promise<KeeperAnswer> {
  const { id, kind, prompt } = question;
  const text = kind === "secret"
    ? await prompter.secret(prompt, signal)
    : await prompter.line(prompt, signal);
  return { type: "answer", id, text };
}

/** Every master of this user's keepers, in all places. */
export async function listMasters(
  options: { readonly probe?: boolean; readonly environment?: Readonly<Record<string, string>> } = {},
): Promise<MasterInfo[]> {
  const found: MasterInfo[] = [];
  for (const place of await places(options.environment)) {
    using line = await dialPlace(place) ?? null;
    if (line === null) continue;
    await line.send({ type: "list", probe: options.probe ?? false });
    const reply = await line.next<KeeperReply>();
    if (reply?.type === "masters") found.push(...reply.masters);
  }
  return found;
}

/** Ends every master of this user's keepers; resolves with how many there were. */
export async function exitAll(environment: Readonly<Record<string, string>> = {}): Promise<number> {
  let ended = 0;
  for (const place of await places(environment)) {
    using line = await dialPlace(place) ?? null;
    if (line === null) continue;
    await line.send({ type: "exit-all" });
    const reply = await line.next<KeeperReply>();
    if (reply?.type === "done") ended += reply.count;
  }
  return ended;
}

const GONE = "the keeper has left in the middle of answering";

export function keeperGone(): MasterError {
  return new MasterError("gone", {
    what: "Cannot ride a master",
    why: GONE,
    fix: "try again",
    outcome: "not-started",
  });
}

/** Whether asking again may find another keeper. */
export function isKeeperGone(error: unknown): boolean {
  return error instanceof MasterError && error.code === "gone" && error.why === GONE;
}

function wedged(place: Place, deadlineMs: number): MasterError {
  return new MasterError("wedged", {
    what: "Cannot ride a master",
    where: place.keeperSocket,
    why: `the keeper did not answer within ${deadlineMs / 1000} s`,
    outcome: "not-started",
  });
}

function notAllowed(place: Place, cause: Error): MasterError {
  return new MasterError("no-keeper", {
    what: "Cannot talk to the keeper",
    where: place.directory,
    why: "this program may not use its sockets",
    fix: "run with --allow-net --allow-read --allow-write --allow-run",
    cause,
    outcome: "not-started",
  });
}
