import { MasterError } from "../base/errors.ts";
import { ControlClient } from "../link/control_link.ts";
import { exitAll, listMasters } from "../master/keeper_client.ts";
import { isInKeepersDirectory, ridingSocket } from "../master/riding_socket.ts";
import { controlPathFor } from "../host/connect.ts";
import { encodeMuxPlain, MUX } from "../wire/mux.ts";
import { helpSpec, readArguments, refuseWords, usage } from "./arguments.ts";
import { exitStatus } from "./exit_status.ts";
import { targetOptionHelp, targetOptionsOf, targetOptionSpecs } from "./target_options.ts";
import { write } from "./write.ts";

const SUMMARIES = {
  check: "whether the host's master is alive, as ssh -O check",
  stop: "the host's master takes nobody new and leaves after its last session, as ssh -O stop",
  exit: "end the host's master and everything on it, as ssh -O exit",
} as const;

/** `carpool check`, `carpool stop`, `carpool exit`. */
export function control(name: keyof typeof SUMMARIES) {
  return async (args: readonly string[]): Promise<number> => {
    const specs = [
      ...targetOptionSpecs,
      ...name === "exit" ? [{ name: "all", kind: "flag" } as const] : [],
      helpSpec,
    ];
    const line = await readArguments(name, args, specs);
    if (line.flag("help")) {
      write(helpOf(name), "stdout");
      return exitStatus.ok;
    }
    const [host, ...more] = [...line.words, ...line.rest];
    if (line.flag("all")) {
      refuseWords(name, host === undefined ? [] : [host], "name a host, or say --all");
      return await endAll();
    }
    if (host === undefined) throw usage(name, name, "it needs a host", `carpool ${name} <host>`);
    refuseWords(name, more, "one host at a time");
    const path = await controlPathFor(host, targetOptionsOf(name, line));
    if (path === undefined) {
      write(`carpool: no master for ${host}\n`, "stderr");
      return exitStatus.sshFailed;
    }
    if (name !== "check" && line.text("socket") === undefined && await isOthers(path)) {
      return await leaveOthers(name, host, path);
    }
    using client = await ControlClient.connect(path);
    const pid = await client.alive();
    if (name === "check") {
      write(`Master running (pid=${pid}), ${path}\n`, "stdout");
      return exitStatus.ok;
    }
    await tell(client, name === "stop" ? MUX.STOP_LISTENING : MUX.TERMINATE, name === "exit");
    write(name === "stop" ? "Stop listening request sent.\n" : "Exit request sent.\n", "stdout");
    return exitStatus.ok;
  };
}

/** Whether nobody of Carpool's made the master at this path: it is never ended unless it is named with -S. */
async function isOthers(path: string): Promise<boolean> {
  if (await isInKeepersDirectory(path)) return false;
  return !(await listMasters()).some(({ kind, controlPath }) => kind === "carpool" && controlPath === path);
}

/** Ends what Carpool has on a master that `ssh` started; the master stays. */
async function leaveOthers(name: "stop" | "exit", host: string, path: string): Promise<number> {
  const riding = await ridingSocket(path);
  if (riding !== undefined) {
    using client = await ControlClient.connect(riding);
    await tell(client, name === "stop" ? MUX.STOP_LISTENING : MUX.TERMINATE, name === "exit");
  }
  const done = riding === undefined
    ? "Carpool does not ride"
    : name === "stop"
    ? "Carpool takes nobody new on"
    : "Carpool's sessions have left";
  const end = `carpool ${name} -S ${path} ${host}`;
  write(
    `${done} the OpenSSH master at ${path}; it was not started by Carpool and goes on (${end} ends it)\n`,
    "stdout",
  );
  return exitStatus.ok;
}

async function tell(client: ControlClient, type: number, mayClose: boolean): Promise<void> {
  const id = client.nextRequestId();
  try {
    await client.ask(encodeMuxPlain(type, id), id);
  } catch (error) {
    // A master that exits may be gone before its answer: then it has done what it was told.
    if (!(mayClose && error instanceof MasterError && error.code === "gone")) throw error;
  }
}

async function endAll(): Promise<number> {
  const told = await exitAll();
  write(told === 0 ? "no masters\n" : "Exit request sent to all masters.\n", "stdout");
  return exitStatus.ok;
}

function helpOf(name: keyof typeof SUMMARIES): string {
  const all = name === "exit" ? "\n  --all                  every master of yours that Carpool holds\n" : "";
  const others = name === "check"
    ? ""
    : "\nA master that ssh started, at the ControlPath of ssh_config, goes on: only what Carpool has on it ends. With\n" +
      "-S PATH it is told itself, as ssh would.\n";
  return `carpool ${name} [options] <host>: ${SUMMARIES[name]}\n${others}${all}\n${targetOptionHelp}\n`;
}
