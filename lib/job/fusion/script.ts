import { posixQuote, posixQuotePath } from "../../base/posix_quote.ts";
import { commandLine } from "../../host/command_line.ts";
import type { PlannedExec } from "../planned.ts";
import { copyText, driverMain, driverText, sweepText, watchText } from "./driver_text.ts";
import { execString, execStringForInput, maxExecStringBytes } from "./exec_string.ts";
import type { FusableAction } from "./fusable.ts";
import type { SmallCopy } from "./small_copy.ts";

/** Beyond this a text is no argument: Linux ends at 128 KiB, whatever the limit on all of them together. */
const maxArgumentBytes = 120_000;

/** A step that travels. */
export interface Traveller {
  readonly action: FusableAction;
  /** Whether its text must not be seen in a process list. */
  readonly secret: boolean;
  /** For a copy, its file. */
  readonly copy?: SmallCopy;
}

/** Steps in one script, ready to be sent. */
export interface Parcel {
  readonly travellers: readonly Traveller[];
  /** What begins each mark. */
  readonly nonce: string;
  /** Names the remote directory. Public: it is in the process list. */
  readonly id: string;
  readonly command: string;
  /** What is sent on standard input; undefined where all of it is in the command. */
  readonly input: string | undefined;
}

/** Packs steps into a script. The nonce begins with a byte that text has no use for, which is quick to look for. */
export function packParcel(
  travellers: readonly Traveller[],
  options: { readonly retryDelayMs: number },
): Parcel {
  const nonce = `\x1e${randomHex(16)}`;
  const id = randomHex(12);
  const end = `#${randomHex(8)}`;
  const steps = travellers.map((traveller, i) => stepText(traveller, i + 1, options.retryDelayMs));
  const script = (count: number) => scriptOf(travellers, { nonce, id, end, steps: steps.slice(0, count) });
  const base = { travellers, nonce, id };
  const all = steps.length;
  if (!travellers.some(({ secret }) => secret)) {
    // The nonce is in the command, but with its first byte spelled out: a step that prints the process list makes no mark.
    const whole = script(all);
    // Nothing is shorter for being encoded.
    const command = whole.length <= maxExecStringBytes ? execString(whole) : undefined;
    if (command !== undefined && command.length <= maxExecStringBytes) {
      return { ...base, command, input: undefined };
    }
    const first = fitting(steps, maxExecStringBytes - execString(script(0)).length);
    if (first > 0) {
      // The first steps run while the others are on their way: for those the server gives no window before the request.
      const input = ["{", ...steps.slice(first), `cqM=${all}`, "}", end, ""].join("\n");
      return { ...base, command: execString(script(first)), input };
    }
  }
  return { ...base, command: execStringForInput(end), input: `${script(all)}\n${end}\n` };
}

/** How many of these texts, from the first on, fit an exec string that has so much room. */
function fitting(texts: readonly string[], room: number): number {
  const none = execString("").length;
  for (let count = 0, left = room; count < texts.length; count++) {
    // A newline and the digits of the count, too.
    left -= execString(texts[count]!).length - none + 8;
    if (left < 0) return count;
  }
  return texts.length;
}

/** Whether a parcel looks for what others have left: one in 64, as looking through /tmp is work, and little is left. */
function sweeps(id: string): boolean {
  return Number.parseInt(id.slice(0, 2), 16) < 4;
}

/** The directory of a parcel on the host; /tmp, so that whoever comes back finds it whatever the environment says. */
export function remoteDirectory(id: string): string {
  return `/tmp/carpool-job.${id}`;
}

function scriptOf(
  travellers: readonly Traveller[],
  { nonce, id, end, steps }: {
    readonly nonce: string;
    readonly id: string;
    readonly end: string;
    /** The texts of the first steps; the others follow on standard input, up to `end`. */
    readonly steps: readonly string[];
  },
): string {
  const hasTimeout = travellers.some(({ action }) => action.timeoutMs !== undefined);
  const attempts = travellers.reduce((sum, { action }) => sum + 1 + action.retries, 0);
  const settings = [
    ...[`cqN='${nonce}'`, `cqd=${remoteDirectory(id)}`, `cqT=${hasTimeout ? 1 : ""}`],
    ...[`cqS=${travellers.length}`, `cqM=${steps.length}`, `cqH='${end}'`],
  ];
  return [
    // Half a script must do nothing: braces that are not closed are a syntax error.
    "{",
    settings.join(" "),
    driverText,
    hasTimeout ? watchText : "",
    sweeps(id) ? sweepText : "",
    travellers.some(({ copy }) => copy) ? copyText : "",
    ...steps,
    driverMain(attempts),
    "}",
  ].join("\n");
}

function stepText({ action, secret, copy }: Traveller, number: number, retryDelayMs: number): string {
  const settings: string[] = [];
  const guards: string[] = [];
  const { retries, timeoutMs, creates, unless, ignoreErrors, delayMs } = action;
  if (action.skip !== undefined) return `cqs${number}() { cqG=1; }\ncqg${number}() { cqv=p; }`;
  if (copy) settings.push("cqK=1");
  else if (retries > 0) {
    settings.push(`cqn=${retries}`);
    settings.push(
      delayMs === undefined ? `cqy=${Math.round(Math.min(retryDelayMs, 10_000))}` : `cqy=${delayMs} cqD=1`,
    );
  }
  if (timeoutMs !== undefined) settings.push(`cqt=${timeoutMs / 1000}`);
  if (ignoreErrors) settings.push("cqI=1");
  const cwd = action.kind === "exec" ? action.cwd : undefined;
  if (creates !== undefined) {
    const look = cwd === undefined
      ? `test -e ${posixQuotePath(creates)}`
      : `(cd ${posixQuotePath(cwd)} && test -e ${posixQuotePath(creates)})`;
    guards.push(`if ${look} >/dev/null 2>&1; then cqv=c; return; fi`);
  }
  if (unless !== undefined) {
    const ask = secret
      ? secretText(unless, action, `g${number}`, "</dev/null >/dev/null 2>&1")
      : `cqask ${posixQuote(commandLine(unless, { cwd, env: action.env }))}`;
    guards.push(`if ${ask}; then cqv=u; fi`);
  }
  if (guards.length > 0) settings.push("cqG=1");
  const text = [`cqs${number}() { ${settings.join(" ") || ":"}; }`];
  if (guards.length > 0) text.push(`cqg${number}() { ${guards.join("\n")}\n}`);
  text.push(`cqx${number}() {\n${copy ? copy.text : execText(action as PlannedExec, secret, number)}\n}`);
  return text.join("\n");
}

/** Runs a command as a session of its own would: the same line, read by the same shell. */
function execText(action: PlannedExec, secret: boolean, number: number): string {
  const { command, env, cwd } = action;
  if (secret) return secretText(command, action, `x${number}`, "</dev/null >&5 2>&6");
  const line = commandLine(command, { env, cwd });
  if (new TextEncoder().encode(line).length <= maxArgumentBytes) return `cqrun ${posixQuote(line)}`;
  // A text that is no argument goes into a file, which the account's shell then reads.
  return inSubshell(action, "</dev/null >&5 2>&6", fileText(command, `x${number}`));
}

/**
 * What must not be in the process list goes through the environment, which only the account itself (and root) can
 * read: the shell's own words are then the same for every such step. A shell that is none of sh's kin reads a file.
 */
function secretText(
  command: string,
  action: Pick<FusableAction, "env" | "cwd">,
  name: string,
  streams: string,
): string {
  return inSubshell(
    action,
    streams,
    'if [ -n "$cqO" ]; then',
    `CARPOOL_STEP=${posixQuote(command)}; export CARPOOL_STEP`,
    `exec "$SHELL" -c 'eval "unset CARPOOL_STEP; $CARPOOL_STEP"' "$cqO"`,
    "fi",
    fileText(command, name),
  );
}

function fileText(command: string, name: string): string {
  const end = `carpool-${randomHex(8)}`;
  const file = `"$cqb/${name}"`;
  // The file is the account's alone, like the directory; what the step makes is not.
  return `(umask 077; cat >${file}) <<'${end}'\n${command}\n${end}\nexec "$SHELL" ${file} 3>&- 4>&- 5>&- 6>&-`;
}

/** Text in a subshell with a step's variables, directory and streams. */
function inSubshell(
  { env = {}, cwd }: Pick<FusableAction, "env" | "cwd">,
  streams: string,
  ...lines: readonly string[]
): string {
  return [
    "(",
    `exec ${streams} 3>&- 4>&- 5>&- 6>&-`,
    ...(cwd === undefined ? [] : [`cd ${posixQuotePath(cwd)} || exit`]),
    ...Object.entries(env).map(([name, value]) => `${name}=${posixQuote(value)}; export ${name}`),
    ...lines,
    ")",
  ].join("\n");
}

function randomHex(bytes: number): string {
  return crypto.getRandomValues(new Uint8Array(bytes)).toHex();
}
