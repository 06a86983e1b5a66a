import { CarpoolError } from "../base/errors.ts";
import { Connection } from "../channel/connection.ts";
import { Session } from "../channel/session.ts";
import { connect, type ConnectOptions } from "../host/connect.ts";
import { type MeasuredLink, openMeasuredLink, type Phase } from "../link/measured_link.ts";
import type { AgreedAlgorithms } from "../link/ssh2_link.ts";
import { TurnCounter } from "../link/turns.ts";
import type { Prompter } from "../target/prompter.ts";
import type { Target, TargetOptions } from "../target/target.ts";

/** The one thing that is run on the host. */
const COMMAND = "true";

/** More sessions than a stock sshd allows at a time (10), to see whether this one does. */
const SESSIONS_TRIED = 11;

/** A part of the way to a command's end. */
export interface Part {
  readonly name: Phase["name"] | "the installed ssh" | "open a session" | "run a command";
  readonly ms: number;
  readonly roundTrips: number | null;
}

/** What a connection of its own took. */
export interface OwnConnection {
  readonly parts: readonly Part[];
  readonly totalMs: number;
  /** Null where they could not be counted. */
  readonly totalRoundTrips: number | null;
  readonly rttMs: number | null;
  readonly address: string | null;
  readonly agreed: AgreedAlgorithms | null;
  /** One more command on the same connection, session and all. */
  readonly nextCommand: Omit<Part, "name"> | null;
  /** Sessions that the server let be open at a time; `limited` where it refused one more. */
  readonly sessions: { readonly open: number; readonly limited: boolean } | null;
  /** Why it ended before its end. */
  readonly error: CarpoolError | undefined;
}

/** Signs of life that the server is asked for, to see what a round trip takes at the least. */
const PINGS = 5;

/** What {@linkcode measureOwn} may be given. */
export interface MeasureOwnOptions {
  readonly prompter: Prompter;
  readonly signal: AbortSignal;
  /** The installed `ssh` makes the connection, from these: its parts then cannot be told apart. */
  readonly openSsh: TargetOptions | undefined;
}

/** Makes a connection that nobody shares, runs `true` on it twice, and closes it. */
export async function measureOwn(target: Target, options: MeasureOwnOptions): Promise<OwnConnection> {
  const phases: Measured[] = [];
  let again: readonly Measured[] = [];
  let measured: MeasuredLink | undefined;
  let sessions: OwnConnection["sessions"] = null;
  let error: CarpoolError | undefined;
  let rttMs: number | undefined;
  try {
    const onPhase = (phase: Measured) => void phases.push(phase);
    measured = options.openSsh
      ? await openBySsh(target, options.openSsh, { ...options, onPhase })
      : await openMeasuredLink(target, { ...options, onPhase });
    rttMs = measured.connectMs;
    const connection = new Connection(measured.link);
    phases.push(...await runOnce(connection, measured, options.signal));
    again = await runOnce(connection, measured, options.signal);
    // A keepalive would end a proxy connection.
    if (!options.openSsh) rttMs = await shortestRoundTrip(connection);
    // A refused channel can end OpenSSH's master.
    if (!options.openSsh) sessions = await trySessions(connection, options.signal);
  } catch (cause) {
    if (options.signal.aborted || !(cause instanceof CarpoolError)) throw cause;
    error = cause;
  } finally {
    await measured?.close();
  }
  const count = ({ name, ms, roundTrips }: Measured): Part => ({
    name,
    ms,
    roundTrips: typeof roundTrips === "number"
      ? roundTrips
      : roundTrips === "uncounted"
      ? null
      : options.openSsh
      ? null // what passes is between two programs of this machine
      : measured?.turns.between(...roundTrips, rttMs ?? 0) ?? null,
  });
  const parts = phases.map(count);
  const next = again.map(count);
  return {
    parts,
    totalMs: sum(parts.map(({ ms }) => ms)),
    totalRoundTrips: options.openSsh ? null : sum(parts.map(({ roundTrips }) => roundTrips ?? 0)),
    rttMs: rttMs ?? null,
    address: measured?.address ?? null,
    agreed: measured?.agreed ?? null,
    nextCommand: next.length === 0 ? null : {
      ms: sum(next.map(({ ms }) => ms)),
      roundTrips: options.openSsh ? null : sum(next.map((part) => part.roundTrips ?? 0)),
    },
    sessions,
    error,
  };
}

type Measured = Omit<Phase, "name"> & Pick<Part, "name">;

async function openBySsh(
  target: Target,
  openSsh: TargetOptions,
  options: MeasureOwnOptions & { readonly onPhase: (phase: Measured) => void },
): Promise<MeasuredLink> {
  const { openPrivateOpenSshLink } = await import("../master/openssh_master.ts");
  const { prompter, signal } = options;
  const startedAt = performance.now();
  const link = await openPrivateOpenSshLink(target, { options: openSsh, prompter, signal });
  options.onPhase({ name: "the installed ssh", ms: performance.now() - startedAt, roundTrips: "uncounted" });
  const close = async () => await link.close();
  return {
    link,
    connectMs: undefined,
    agreed: undefined,
    address: undefined,
    turns: new TurnCounter(),
    close,
  };
}

/** Not what TCP took to connect: something on the way may have answered for the host. */
async function shortestRoundTrip(connection: Connection): Promise<number> {
  let shortest = Infinity;
  for (let i = 0; i < PINGS; i++) {
    const askedAt = performance.now();
    await connection.request("keepalive@openssh.com");
    shortest = Math.min(shortest, performance.now() - askedAt);
  }
  return shortest;
}

async function runOnce(
  connection: Connection,
  { turns }: MeasuredLink,
  signal: AbortSignal,
): Promise<[Measured, Measured]> {
  const begun = { atMs: performance.now(), mark: turns.mark };
  const session = await Session.open(connection, { signal });
  const opened = { atMs: performance.now(), mark: turns.mark };
  session.start({ kind: "exec", command: COMMAND }, {
    onOutput: (data) => session.consumed(data.length),
    onOutputEnd: () => {},
  });
  session.endInput();
  const { error, outcome } = await session.ended;
  if (outcome !== "exited" && error) throw error;
  const ended = { atMs: performance.now(), mark: turns.mark };
  return [
    { name: "open a session", ms: opened.atMs - begun.atMs, roundTrips: [begun.mark, opened.mark] },
    { name: "run a command", ms: ended.atMs - opened.atMs, roundTrips: [opened.mark, ended.mark] },
  ];
}

/** Opens sessions without running anything in them, all at once, and closes them. */
async function trySessions(
  connection: Connection,
  signal: AbortSignal,
): Promise<{ open: number; limited: boolean }> {
  const tried = await Promise.allSettled(
    Array.from({ length: SESSIONS_TRIED }, () => connection.open("session", { signal })),
  );
  signal.throwIfAborted();
  const opened = tried.flatMap((one) => one.status === "fulfilled" ? [one.value] : []);
  for (const channel of opened) channel.close();
  return { open: opened.length, limited: opened.length < SESSIONS_TRIED };
}

/** What riding a live master took. */
export interface Ridden {
  readonly connectMs: number;
  readonly commandMs: number;
  readonly error: CarpoolError | undefined;
}

/** Boards the master that is alive and runs `true` there. */
export async function measureRide(destination: string, options: ConnectOptions): Promise<Ridden> {
  const startedAt = performance.now();
  let connectMs = 0;
  try {
    await using host = await connect(destination, options);
    connectMs = performance.now() - startedAt;
    const ranAt = performance.now();
    await host.exec(COMMAND, { signal: options.signal });
    return { connectMs, commandMs: performance.now() - ranAt, error: undefined };
  } catch (error) {
    if (options.signal?.aborted || !(error instanceof CarpoolError)) throw error;
    return { connectMs, commandMs: 0, error };
  }
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
