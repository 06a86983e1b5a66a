import { isUnfinished, type ListedRun, listRuns } from "../job/journal.ts";
import { table } from "../report/table.ts";
import { helpSpec, readArguments, refuseWords } from "./arguments.ts";
import { exitStatus } from "./exit_status.ts";
import { outputOf, outputSpec } from "./terminal.ts";
import { write } from "./write.ts";

const help = `\
carpool runs [options]: runs that have a journal, the newest first

A journal tells of each host how far it came, so that carpool run --resume can go on. The newest
hundred are kept, for 30 days, in $XDG_STATE_HOME/carpool/runs or ~/.local/state/carpool/runs.

  --output FORMAT        auto, lines, or json

Examples:
  carpool runs
  carpool run --resume=20261121-140501-x7k2
`;

/** How a run stands: `running`; `broke off`, its process ended without a word; or how it ended. */
type Standing = "running" | "broke off" | "ok" | "failed" | "unreachable" | "interrupted" | "unreadable";

/** `carpool runs`. */
export async function runs(args: readonly string[]): Promise<number> {
  const line = await readArguments("runs", args, [outputSpec, helpSpec]);
  if (line.flag("help")) {
    write(help, "stdout");
    return exitStatus.ok;
  }
  refuseWords("runs", [...line.words, ...line.rest]);
  const output = outputOf("runs", line);
  const found = (await Array.fromAsync(listRuns())).map(describe);
  if (output === "json") write(`${JSON.stringify(found, null, 2)}\n`, "stdout");
  else if (found.length === 0) write("no runs\n", "stderr");
  else write(table(["run", "job", "began", "hosts ok", "how it stands"], found.map(row)), "stdout");
  return exitStatus.ok;
}

function row(
  { id, job, standing, why, hosts, hostsOk, startedAtMs, canResume }: ReturnType<typeof describe>,
) {
  if (standing === "unreadable") return [id, null, null, null, `unreadable: ${why}`];
  const began = startedAtMs && `${new Date(startedAtMs).toISOString().slice(0, 16).replace("T", " ")} UTC`;
  return [id, job, began, `${hostsOk} of ${hosts}`, canResume ? `${standing}, can be resumed` : standing];
}

function describe({ id, live, state, why }: ListedRun) {
  const standing: Standing = live ? "running" : state === undefined ? "unreadable" : state.end ?? "broke off";
  return {
    id,
    job: state?.run.job ?? "",
    task: state?.run.task ?? null,
    standing,
    why: why ?? null,
    hosts: state?.run.hosts.length ?? 0,
    hostsOk: [...state?.hosts.values() ?? []].filter((status) => status === "ok").length,
    startedAtMs: state?.run.atMs ?? null,
    lastAtMs: state?.lastAtMs ?? null,
    canResume: !live && state !== undefined && state.run.task !== null && isUnfinished(state),
  };
}
