import { CarpoolError, CopyError } from "../base/errors.ts";
import { formatDuration } from "../base/format_duration.ts";
import { systemWhy } from "../base/system_why.ts";
import { dirname } from "../deps/node_path.ts";
import { delay } from "../deps/std_async.ts";
import type { CopyOptions } from "../host/copy_options.ts";
import { quotePath } from "../host/command_line.ts";
import { type Attempt, done, fromError } from "./attempt.ts";
import type { JobHost } from "./job_host.ts";
import type {
  PlannedAction,
  PlannedCopy,
  PlannedFetch,
  PlannedScript,
  PlannedTemplate,
  PlannedWait,
} from "./planned.ts";
import { type CommandInput, LocalInput } from "./local_input.ts";
import { declined } from "./questions.ts";
import { runCommand } from "./remote_command.ts";
import { chownText, inSh, portText, scriptText, writeText } from "./remote_text.ts";
import type { StepContext } from "./step_context.ts";

/** How long waiting and reconnecting may take where the step does not say. */
const patienceMs = 300_000;

/** Does what a step says, once. */
export async function runAction(action: PlannedAction, context: StepContext): Promise<Attempt> {
  switch (action.kind) {
    case "exec":
      return await runCommand(await context.connection(), action, action.step, context);
    case "script":
      return await runScript(action, context);
    case "template":
      return await writeFile(action, new TextEncoder().encode(action.content), context);
    case "copy":
      return action.user === undefined ? await copyOnce(action, context) : await copyAsUser(action, context);
    case "fetch":
      return action.user === undefined ? await copyOnce(action, context) : await fetchAsUser(action, context);
    case "wait":
      return await waitFor(action, context);
    case "reconnect":
      await context.reconnect(action.afterMs, action.timeoutMs ?? patienceMs);
      return done();
    case "prompt": {
      const answer = await context.questions.answer(action, context.signal);
      if (action.register !== undefined) context.scope.set(action.register, answer);
      return done();
    }
    case "confirm":
      if (await context.questions.answer(action, context.signal) === true) return done();
      throw declined(action, "the answer was no");
  }
}

async function runScript(action: PlannedScript, context: StepContext): Promise<Attempt> {
  const { env, cwd, timeoutMs, user, content, interpreter, args } = action;
  const input = new TextEncoder().encode(content);
  const text = scriptText(interpreter, args, input.length);
  // As another user the text is read by `sh` anyway.
  const command = user === undefined ? inSh(text) : text;
  return await runCommand(
    await context.connection(),
    { command, env, cwd, timeoutMs, user, input },
    action.step,
    context,
  );
}

async function writeFile(
  action: PlannedTemplate | PlannedCopy,
  input: CommandInput,
  context: StepContext,
): Promise<Attempt> {
  const { to, from, mode, owner, user, timeoutMs } = action;
  const size = input instanceof Uint8Array ? input.length : input.size;
  const text = writeText(to, from.replace(/^.*[\/\\]/, ""), size, { mode, owner });
  const command = user === undefined ? inSh(text) : text;
  return await runCommand(
    await context.connection(),
    { command, timeoutMs, user, input },
    action.step,
    context,
  );
}

async function copyOnce(action: PlannedCopy | PlannedFetch, context: StepContext): Promise<Attempt> {
  const host = await context.connection();
  const timeout = new AbortController();
  const timer = action.timeoutMs === undefined
    ? undefined
    : setTimeout(() => timeout.abort(), action.timeoutMs);
  let toldAtMs = Date.now();
  const options: CopyOptions = {
    signal: AbortSignal.any([context.signal, timeout.signal]),
    onProgress: ({ path, bytes, totalBytes }) => {
      // Five a second are enough for any eye, and a copy makes thousands.
      if (Date.now() - toldAtMs < 200) return;
      toldAtMs = Date.now();
      const event = { host: context.host, step: action.step, path, bytes, totalBytes };
      // Progress is not worth waiting for; the queue bounds it by the clock above.
      void context.emit({ type: "step-progress", atMs: toldAtMs, ...event });
    },
    ...(action.kind === "copy" && action.mode !== undefined ? { mode: action.mode } : {}),
    ...(action.kind === "copy" && action.exclude !== undefined ? { exclude: action.exclude } : {}),
  };
  try {
    if (action.kind === "fetch") await makeParents(action.to);
    const copied = await host[action.kind](action.from, action.to, options);
    if (action.kind === "fetch" || action.owner === undefined) return done(copied.bytes);
    const command = inSh(chownText(action.to, action.from, action.owner));
    const { timeoutMs } = action;
    const owned = await runCommand(host, { command, timeoutMs }, action.step, context);
    return { ...owned, bytes: copied.bytes };
  } catch (error) {
    const timedOut = timeout.signal.aborted && !context.signal.aborted;
    return { ...fromError(error, action, context.signal), timedOut };
  } finally {
    clearTimeout(timer);
  }
}

/** SFTP runs as the account of the connection, so a file for another one goes through a command. */
async function copyAsUser(action: PlannedCopy, context: StepContext): Promise<Attempt> {
  using content = await LocalInput.open(action.from);
  const { mode } = content;
  const bits = action.mode ?? (mode === null ? 0o644 : mode & 0o777);
  return await writeFile({ ...action, mode: bits }, content, context);
}

async function fetchAsUser(action: PlannedFetch, context: StepContext): Promise<Attempt> {
  await makeParents(action.to);
  const to = /[\/\\]$/.test(action.to) ? action.to + action.from.replace(/^.*\//, "") : action.to;
  const own = `${to}.${crypto.randomUUID()}.part`;
  try {
    using file = await Deno.open(own, { write: true, createNew: true, mode: 0o600 });
    const command = {
      command: `cat -- ${quotePath(action.from)}`,
      user: action.user,
      timeoutMs: action.timeoutMs,
    };
    const attempt = await runCommand(
      await context.connection(),
      {
        ...command,
        onStdout: async (bytes) => {
          for (let at = 0; at < bytes.byteLength;) at += await file.write(bytes.subarray(at));
        },
      },
      action.step,
      context,
    );
    if (attempt.status === "ok") await Deno.rename(own, to);
    return attempt;
  } catch (cause) {
    if (cause instanceof CarpoolError) throw cause;
    throw localFailed("Cannot write the local file", to, cause);
  } finally {
    await Deno.remove(own).catch(() => {/* it has its own name by now */});
  }
}

async function waitFor(action: PlannedWait, context: StepContext): Promise<Attempt> {
  const { env, cwd, user } = action;
  const patience = action.timeoutMs ?? patienceMs;
  const endsAtMs = Date.now() + patience;
  const [port = "", at = "localhost"] = (action.port ?? "").split(/:(?=[^:]*$)/).reverse();
  const look = action.command ??
    (action.file !== undefined
      ? `test -e ${quotePath(action.file)}`
      : user === undefined
      ? inSh(portText(at.replace(/^\[(.*)\]$/, "$1"), port))
      : portText(at, port));
  let last: Attempt | undefined;
  for (;;) {
    const leftMs = endsAtMs - Date.now();
    if (leftMs <= 0 || context.signal.aborted) {
      const error = {
        code: "not-there",
        message: `not within ${formatDuration(patience)}${
          last?.code === null || last === undefined
            ? ""
            : ` (the last look ended with exit status ${last.code})`
        }`,
      };
      const status = context.signal.aborted ? "interrupted" : "failed";
      return { ...done(), ...last, status, timedOut: false, error };
    }
    const host = await context.connection();
    last = await runCommand(
      host,
      { command: look, env, cwd, user, timeoutMs: Math.ceil(leftMs), silent: true },
      action.step,
      context,
    );
    if (last.status === "ok") return last;
    if (action.port !== undefined && last.code === 125) {
      const message = "the host has none of bash, nc, python3 and perl to look for a port with";
      return { ...last, status: "failed", error: { code: "not-there", message } };
    }
    // A look changes nothing: one whose end is not known is simply taken again.
    const final = last.error && ["no-password", "password-refused"].includes(last.error.code);
    if (last.status === "interrupted" || final) return last;
    try {
      await delay(Math.max(1, Math.min(action.intervalMs, endsAtMs - Date.now())), {
        signal: context.signal,
      });
    } catch {
      // Stopped from here; the loop says so.
    }
  }
}

/** `to: ./logs/{host}.log` works in a fresh checkout: the directories above the file are made. */
async function makeParents(path: string): Promise<void> {
  try {
    await Deno.mkdir(dirname(path), { recursive: true });
  } catch (cause) {
    throw localFailed("Cannot make the local directory", dirname(path), cause);
  }
}

function localFailed(what: string, where: string, cause: unknown): CopyError {
  return new CopyError("local-failed", {
    what,
    where,
    why: systemWhy(cause),
    cause,
  });
}

/** Whether what `creates` names is there, or `unless` succeeds: why the step is not needed. */
export async function notNeeded(action: PlannedAction, context: StepContext): Promise<string | undefined> {
  const { creates, unless, env } = action;
  if (creates !== undefined) {
    if (await look(context, `test -e ${quotePath(creates)}`, action)) return `${creates} exists`;
  }
  if (unless === undefined) return undefined;
  const shown = action.secret ? "its guard" : unless;
  return await look(context, unless, action, env) ? `${shown} succeeded` : undefined;
}

async function look(
  context: StepContext,
  command: string,
  { cwd, user, step }: PlannedAction,
  env?: Readonly<Record<string, string>>,
): Promise<boolean> {
  const { signal } = context;
  const connection: JobHost = await context.connection();
  // A guard changes nothing, so whatever ends it the step itself has not begun.
  try {
    if (user === undefined) {
      return (await connection.exec(command, { cwd, env, signal })).success;
    }
    const { status, error } = await runCommand(
      connection,
      { command, cwd, env, user, silent: true },
      step,
      context,
    );
    if (error !== undefined) {
      throw new CarpoolError(error.code, { what: error.message, outcome: "not-started" });
    }
    return status === "ok";
  } catch (cause) {
    if (signal.aborted) throw cause;
    if (
      cause instanceof CarpoolError && ["no-password", "password-refused", "user-failed"].includes(cause.code)
    ) {
      throw cause;
    }
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CarpoolError("guard-failed", {
      what: "Cannot tell whether the step is needed",
      why,
      outcome: "not-started",
      cause,
    });
  }
}
