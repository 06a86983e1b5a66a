import { fromRecord } from "../base/error_record.ts";
import { MasterError } from "../base/errors.ts";
import type { Prompter } from "../target/prompter.ts";
import { type KeeperAnswer, type KeeperReply, type KeeperRequest, LineConn } from "./keeper_protocol.ts";
import type { MasterInfo } from "./master.ts";
import { inspectSocket, type Place, places } from "./places.ts";

/** A keeper that does not answer a connect within this time is wedged. */
const CONNECT_DEADLINE_MS = 4_000;

/** Connects to a running keeper, wherever it lives; undefined when there is none. Throws for a foreign socket. */
export async function dialKeeper(
  environment: Readonly<Record<string, string>>,
): Promise<{ readonly line: LineConn; readonly place: Place } | undefined> {
  for (const place of await places(environment)) {
    const line = await dialPlace(place);
    if (line) return { line, place };
  }
  return undefined;
}

/** Connects to the keeper of one place; undefined when nobody listens there. */
export async function dialPlace(place: Place): Promise<LineConn | undefined> {
  if (await inspectSocket(place.keeperSocket) === "missing") return undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deadline = new Promise<undefined>((resolve) =>
    timer = setTimeout(() => resolve(undefined), CONNECT_DEADLINE_MS)
  );
  try {
    const conn = await Promise.race([
      Deno.connect({ transport: "unix", path: place.keeperSocket }),
      deadline,
    ]);
    return conn && new LineConn(conn);
  } catch {
    return undefined; // dead: whoever starts the next keeper replaces it
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

/** Has the keeper open a master, answering its questions here. Rejects with the error that the keeper met. */
export async function askToOpen(
  line: LineConn,
  request: Extract<KeeperRequest, { type: "open" }>,
  prompter: Prompter,
  signal?: AbortSignal,
): Promise<Opened> {
  signal?.throwIfAborted();
  const abort = () => line.close(); // the keeper goes on for the others who wait
  signal?.addEventListener("abort", abort, { once: true });
  try {
    await line.send(request);
    for (;;) {
      const reply = await line.next<KeeperReply>();
      signal?.throwIfAborted();
      switch (reply?.type) {
        case "ask":
          await line.send(await answer(reply, prompter, signal));
          break;
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
    signal?.removeEventListener("abort", abort);
  }
}

async function answer(
  question: Extract<KeeperReply, { type: "ask" }>,
  prompter: Prompter,
  signal: AbortSignal | undefined,
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

/** Ends every master of this user's keepers; resolves with how many keepers were told. */
export async function exitAll(environment: Readonly<Record<string, string>> = {}): Promise<number> {
  let told = 0;
  for (const place of await places(environment)) {
    using line = await dialPlace(place) ?? null;
    if (line === null) continue;
    await line.send({ type: "exit-all" });
    if ((await line.next<KeeperReply>())?.type === "done") told++;
  }
  return told;
}

export function keeperGone(): MasterError {
  return new MasterError("gone", {
    what: "Cannot ride a master",
    why: "the keeper has left in the middle of answering",
    fix: "try again",
    outcome: "not-started",
  });
}
