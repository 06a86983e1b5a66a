import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fc } from "fast-check";
import type { RunEvent } from "../../lib/base/run_event.ts";
import { github } from "../../lib/report/github.ts";
import { madeRun } from "./made_run.ts";

function logOf(events: readonly RunEvent[]): string {
  let log = "";
  let tokens = 0;
  const reporter = github((text) => void (log += text), () => `token-${++tokens}`);
  for (const event of events) reporter.event(event);
  reporter.close!();
  return log;
}

/** The workflow commands that a runner would carry out, as its own reader finds them (V2, then V1). */
function commandsOf(log: string): string[] {
  const commands: string[] = [];
  let stopped: string | undefined;
  for (const line of log.split(/\r\n|\n|\r/)) {
    const v2 = /^\s*::([^ :]+)( [^:]*(?:%3A[^:]*)*)?::(.*)$/s.exec(line);
    if (stopped !== undefined) {
      if (line.trim() === `::${stopped}::`) stopped = undefined;
      continue;
    }
    if (v2?.[1] === "stop-commands") stopped = v2[3];
    else if (v2) commands.push(`${v2[1]}${v2[2] ?? ""}: ${v2[3]}`);
    else if (line.includes("##[")) commands.push(line);
  }
  assertEquals(stopped, undefined);
  return commands;
}

Deno.test("github annotations name the host, the step and the reason of what failed", () => {
  const commands = commandsOf(logOf(madeRun({ hosts: 6, steps: 3, failing: 1, unreachable: 1 })));
  const errors = commands.filter((command) => command.startsWith("error"));
  assertEquals(
    errors,
    [
      "error title=web6%3A unreachable: Cannot connect: deploy@web6:22: connection refused; is sshd running there?",
      "error title=web5%3A 3 ./migrate.sh failed: exit status 3%0A| step 3 done%0A! applying 0042_add_index.sql" +
      '%0A! ERROR: relation "orders" is locked',
    ].sort((a, b) => errors.indexOf(a) - errors.indexOf(b)),
  );
});

Deno.test("github groups tell hosts with the same output once", () => {
  const log = logOf(madeRun({ hosts: 200, steps: 1, output: () => "same\n" }));
  assertStringIncludes(log, "::group::1 stop the service: web[001-200] (200 hosts)\n");
  assertEquals(log.match(/^\| same$/gm)?.length, 1);
  assertEquals(log.match(/^::group::/gm)?.length, log.match(/^::endgroup::$/gm)?.length);
});

Deno.test("github annotations are bounded, and what is beyond is told all the same", () => {
  const log = logOf(madeRun({ hosts: 200, steps: 3, failing: 120 }));
  assertEquals(commandsOf(log).filter((command) => command.startsWith("error")).length, 50);
  assertEquals(log.match(/: 3 \.\/migrate\.sh failed: exit status 3/g)?.length, 70);
});

Deno.test("github runners carry out no command that a host sends", () => {
  const piece = fc.constantFrom(
    "::error::owned",
    "::set-env name=PATH::/evil",
    "::stop-commands::x",
    "::token-1::",
    "##[add-mask]x",
    "::add-mask::x",
    "\r",
    "\n",
    "%0A::error::x",
    " ",
    "\x1b[0m",
    "::endgroup::",
  );
  fc.assert(fc.property(fc.array(piece, { minLength: 1, maxLength: 6 }), (pieces) => {
    const text = pieces.join("");
    const quoted = JSON.stringify(text).slice(1, -1);
    const events: RunEvent[] = JSON.parse(
      JSON.stringify(madeRun({ hosts: 3, steps: 3, failing: 1, unreachable: 1, output: () => text }))
        .replaceAll("web1", quoted).replaceAll("stop the service", quoted).replaceAll(
          "Cannot connect",
          quoted,
        ),
    );
    for (const command of commandsOf(logOf(events))) {
      assert(/^(group|endgroup|error title=|warning title=)/.test(command), command);
      assert(!/^(error|warning): /.test(command), command);
    }
  }));
});
