/**
 * The short way of `carpool exec` on one host whose master is warm: nothing is loaded that it does not need. Whatever is
 * out of the ordinary is left to the long way, before anything has been done.
 */
import { Connection } from "../channel/connection.ts";
import { Session, type SessionEnd } from "../channel/session.ts";
import { openEagerLink } from "../link/eager_link.ts";
import { inspectSocket } from "../master/places.ts";
import { plainText } from "../report/plain_text.ts";
import { exitStatus } from "./exit_status.ts";
import { readRecord, type WarmQuestion, type WarmRecord } from "./warm_record.ts";
import { write } from "./write.ts";

/** Options of `ssh` that take a value and only say which connection is meant. */
const WITH_VALUE = /^-[FJilop]$/;

/** A host that is one word: no list, no range, no group with an operator. */
const PLAIN_HOST = /^[A-Za-z0-9_][A-Za-z0-9_.:@-]*$/;

/** A command whose output nobody reads gets this long to end, in milliseconds. */
const UNREAD_MS = 2000;

/** A command line that the short way understands. */
export interface WarmCommand {
  readonly question: WarmQuestion;
  readonly command: string;
  readonly stdin: boolean;
  readonly verbose: boolean;
}

/** Reads the arguments behind `exec`; undefined where they hold anything but connection options, a host, a command. */
export function readWarmCommand(args: readonly string[]): WarmCommand | undefined {
  const words: string[] = [];
  let stdin = true;
  let verbose = false;
  for (let at = 0; at < args.length; at++) {
    const arg = args[at];
    if (arg === "-n") stdin = false;
    else if (arg === "-v") verbose = true;
    else if (WITH_VALUE.test(arg) && at + 1 < args.length) words.push(arg, args[++at]);
    else if (PLAIN_HOST.test(arg) && args[at + 1] === "--") {
      const command = args.slice(at + 2).join(" ");
      if (command.trim() === "") return undefined;
      const question = { words: [...words, arg], cwd: Deno.cwd(), environment: Deno.env.toObject() };
      return { question, command, stdin, verbose };
    } else return undefined;
  }
  return undefined;
}

/** Runs the command if its master is warm; the exit status, or undefined when the long way must be taken. */
export async function warmExec(args: readonly string[]): Promise<number | undefined> {
  let warm: WarmCommand | undefined;
  let record: WarmRecord | undefined;
  let connection: Connection | undefined;
  let session: Session;
  try {
    warm = readWarmCommand(args);
    record = warm && await readRecord(warm.question);
    if (warm === undefined || record === undefined) return undefined;
    if (inspectSocket(record.controlPath) === "missing") return undefined;
    connection = new Connection(await openEagerLink(record.controlPath, record.where));
    session = await Session.open(connection, { spare: true });
  } catch {
    await connection?.close();
    return undefined; // nothing was started: the long way says what is wrong, or makes it right
  }
  if (warm.verbose) say(`Riding the master of ${record.where}: ${record.controlPath}`);
  const { end, interrupted, unread } = await runIn(session, warm, record.env);
  if (end.outcome === "exited") return end.code ?? exitStatus.sshFailed;
  if (interrupted) return exitStatus.interrupted;
  if (unread) return exitStatus.unread;
  const why = end.outcome === "signalled" ? `SIG${end.signal} ended it` : end.error?.message;
  const said = end.outcome === "signalled"
    ? `The command did not end by itself: ${record.where}: ${why}`
    : why;
  say(`carpool: ${said ?? "its end is not known"}`);
  return exitStatus.sshFailed;
}

function say(text: string): void {
  write(`${plainText(text)}\n`, "stderr");
}

async function runIn(
  session: Session,
  { command, stdin }: WarmCommand,
  env: Readonly<Record<string, string>>,
): Promise<{ readonly end: SessionEnd; readonly interrupted: boolean; readonly unread: boolean }> {
  let interrupted = false;
  let unread = false;
  const interrupt = () => {
    if (interrupted) Deno.exit(exitStatus.interrupted);
    interrupted = true;
    session.signal("INT");
  };
  session.start({ kind: "exec", command }, {
    env,
    onOutput: (data, stream) => {
      try {
        for (let at = 0; at < data.length && !unread;) at += Deno[stream].writeSync(data.subarray(at));
      } catch (error) {
        if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
        unread = true; // whoever read our output has gone: the command hears of it as it would here
        session.stopOutput();
        setTimeout(() => Deno.exit(exitStatus.unread), UNREAD_MS); // what does not write any more is not waited for
      }
      session.consumed(data.length);
    },
    onOutputEnd: () => {},
  });
  const passes = stdin && !Deno.stdin.isTerminal();
  if (!passes) session.endInput();
  await Promise.resolve(); // first the request leaves: to listen and to read Deno starts a thread each
  Deno.addSignalListener("SIGINT", interrupt);
  if (passes) passInput(session);
  const end = await session.ended; // the listener goes with the process, which is over now
  return { end, interrupted, unread };
}

async function passInput(session: Session): Promise<void> {
  try {
    for (;;) {
      const buffer = new Uint8Array(64 * 1024);
      const count = await Deno.stdin.read(buffer);
      if (count === null) return session.endInput();
      await session.write(buffer.subarray(0, count));
    }
  } catch {
    // The command ended, or closed its input, before ours did: no failure, and its status says the rest.
  }
}
