import { findHosts, optionsFor } from "../job/find_hosts.ts";
import { findSsh } from "../master/openssh_master.ts";
import { plainText } from "../report/plain_text.ts";
import { choosePrompter } from "../target/choose_prompter.ts";
import type { Prompter } from "../target/prompter.ts";
import { resolveTarget } from "../target/resolve.ts";
import { helpSpec, readArguments, usage } from "./arguments.ts";
import { check } from "./doctor_checks.ts";
import type { Finding } from "./doctor_finding.ts";
import { measureOwn, measureRide } from "./doctor_measure.ts";
import { describe, type Diagnosis } from "./doctor_report.ts";
import { findShared } from "./doctor_shared.ts";
import { exitStatus } from "./exit_status.ts";
import { exitStatusOfError } from "./failure.ts";
import { targetOptionHelp, targetOptionsOf, targetOptionSpecs } from "./target_options.ts";
import { Interrupts, outputOf, outputSpec } from "./terminal.ts";
import { write } from "./write.ts";

const help = `\
carpool doctor [options] <host>: where the time goes, what is shared, what would break

Makes one connection that nobody shares and measures each part of it, runs "true" there twice, opens
a few sessions without running anything in them, and rides the live master if there is one, with
"true" again. Nothing else happens on the host. Round trips are counted by cause and effect; on a link
of less than a millisecond they are an upper bound. The exit status is 0 where nothing is bad, 1 where
something is, 4 where the host cannot be reached.

  --inventory FILE       the host's settings from here instead of inventory.yaml
  --output FORMAT        auto, lines, or json

${targetOptionHelp}

Examples:
  carpool doctor web1
  carpool doctor -J gate deploy@web1 --output json
`;

/** `carpool doctor`. */
export async function doctor(args: readonly string[]): Promise<number> {
  const specs = [{ name: "inventory", kind: "text" } as const, outputSpec, ...targetOptionSpecs, helpSpec];
  const line = await readArguments("doctor", args, specs);
  if (line.flag("help")) {
    write(help, "stdout");
    return exitStatus.ok;
  }
  const [pattern, extra] = [...line.words, ...line.rest];
  if (pattern === undefined) throw usage("doctor", "doctor", "it needs a host", "carpool doctor <host>");
  const output = outputOf("doctor", line);
  const given = targetOptionsOf("doctor", line);
  const found = await findHosts(pattern, { inventory: line.text("inventory"), configFile: given.configFile });
  const [entry] = found;
  if (entry === undefined || found.length > 1 || extra !== undefined) {
    throw usage(
      "doctor",
      extra ?? pattern,
      "one host at a time",
      "see carpool hosts for what a pattern names",
    );
  }
  const options = optionsFor(entry, given);
  using interrupts = new Interrupts();
  const target = await resolveTarget(entry.host, options);
  const notices: Finding[] = [];
  const prompter = listening(choosePrompter(target), notices);
  const shared = await findShared(entry.host, target, options);
  const bySsh = options.via === "openssh" ||
    (options.via !== "ssh2" && target.needsOpenSsh.length > 0 &&
      await findSsh(target.environment) !== undefined);
  const openSsh = bySsh ? options : undefined;
  const own = await measureOwn(target, { prompter, signal: interrupts.signal, openSsh });
  const rides = !shared.master?.rides
    ? null
    : await measureRide(entry.host, { ...options, prompter, signal: interrupts.signal });
  const diagnosis: Diagnosis = {
    host: entry.host,
    where: target.where,
    own,
    shared,
    rides,
    findings: [...await check(target, own), ...notices],
  };
  write(
    output === "json" ? `${JSON.stringify(toJson(diagnosis), null, 2)}\n` : plainText(describe(diagnosis)),
    "stdout",
  );
  if (own.error) return exitStatusOfError(own.error);
  return [...shared.findings, ...diagnosis.findings].some(({ level }) => level === "bad")
    ? exitStatus.failed
    : exitStatus.ok;
}

/** What is said while connecting is part of what was found. */
function listening(prompter: Prompter, notices: Finding[]): Prompter {
  return {
    interactive: prompter.interactive,
    secret: (prompt, signal) => prompter.secret(prompt, signal),
    line: (prompt, signal) => prompter.line(prompt, signal),
    notice: (says) => {
      if (!notices.some((one) => one.says === says.trim())) {
        notices.push({ level: "note", about: "said", says: says.trim() });
      }
    },
  };
}

function toJson({ host, where, own, shared, rides, findings }: Diagnosis) {
  const { error, ...measured } = own;
  const said = (one: typeof error) => one === undefined ? null : { code: one.code, message: one.message };
  return {
    version: 1,
    host,
    where,
    connection: { ...measured, error: said(error) },
    riding: rides === null ? null : { ...rides, error: said(rides.error) },
    master: shared.master,
    findings: [...shared.findings, ...findings].map((one) => ({ ...one, fix: one.fix ?? null })),
  };
}
