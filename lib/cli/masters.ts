import { listMasters } from "../master/keeper_client.ts";
import type { MasterInfo } from "../master/master.ts";
import { table } from "../report/table.ts";
import { helpSpec, readArguments, refuseWords } from "./arguments.ts";
import { exitStatus } from "./exit_status.ts";
import { outputOf, outputSpec } from "./terminal.ts";
import { write } from "./write.ts";

const help = `\
carpool masters [options]: every live master, Carpool's own and the OpenSSH masters it rides

Each of Carpool's own is asked for a sign of life, which shows its round-trip time.

  --output FORMAT        auto, lines, or json (an array)
`;

/** `carpool masters`. */
export async function masters(args: readonly string[]): Promise<number> {
  const line = await readArguments("masters", args, [outputSpec, helpSpec]);
  if (line.flag("help")) {
    write(help, "stdout");
    return exitStatus.ok;
  }
  const extra = [...line.words, ...line.rest];
  refuseWords("masters", extra, extra.length === 1 ? `for one host: carpool check ${extra[0]}` : undefined);
  const output = outputOf("masters", line);
  const found = await listMasters({ probe: true });
  if (output === "json") write(`${JSON.stringify(found, null, 2)}\n`, "stdout");
  else if (found.length === 0) write("no masters\n", "stderr");
  else write(table(HEADS, found.map(row)), "stdout");
  return exitStatus.ok;
}

const HEADS = ["host", "kind", "pid", "age", "sessions", "leaves in", "rtt", "control path"];

function row(master: MasterInfo): string[] {
  const { user, host, port, kind, pid, sessions, startedAt, lingersUntil, rttMs, controlPath } = master;
  const age = duration(Date.now() - Date.parse(startedAt));
  const leaves = lingersUntil === null ? "-" : duration(Date.parse(lingersUntil) - Date.now());
  const rtt = rttMs === null ? "-" : `${rttMs.toFixed(1)} ms`;
  const where = `${user}@${host.includes(":") ? `[${host}]` : host}:${port}`;
  return [where, kind, String(pid), age, String(sessions), leaves, rtt, controlPath];
}

/** Rounded to what a person looks for: `45s`, `12m`, `3h`, `2d`. */
function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)}h` : `${Math.round(seconds / 86_400)}d`;
}
