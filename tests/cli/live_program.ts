/** Shows a made-up run on the terminal and ends as its argument says; for live_terminal_test.ts. */
import { clock, terminal } from "../../lib/cli/live_terminal.ts";
import { readArguments } from "../../lib/cli/arguments.ts";
import { reportSpecs, runReporter } from "../../lib/cli/run_reporter.ts";
import { Interrupts } from "../../lib/cli/terminal.ts";
import { madeRun } from "../report/made_run.ts";

const [mode, ...args] = Deno.args;
const line = await readArguments("run", args, reportSpecs);
const frames = () => new Promise<void>((resolve) => clock.after(150, resolve));

using reporter = await runReporter("run", line, "run");
using interrupts = new Interrupts();
interrupts.signal.addEventListener("abort", () => terminal.write("noticed"));
const run = madeRun({ hosts: 60, steps: 3, failing: 2, output: () => "" });
const until = mode === "whole" ? run.length : Math.floor(run.length / 2);
for (const event of run.slice(0, until)) reporter.event(event);
await frames();
// Nothing here takes that long: what hangs ends, and the test sees a status that it does not expect.
const giveUp = clock.after(30_000, () => Deno.exit(99));
switch (mode) {
  case "throw":
    throw new Error("a mistake");
  case "reject":
    Promise.reject(new Error("a mistake that nobody waits for"));
    await frames();
    break;
  case "exit":
    Deno.exit(3);
    break;
  case "interrupt":
    if (!interrupts.signal.aborted) {
      await new Promise((resolve) => interrupts.signal.addEventListener("abort", resolve));
    }
    break;
  case "twice":
    // The second one leaves at once, from inside the signal's own listener.
    await new Promise(() => clock.after(60_000, () => {}));
    break;
  case "narrow": {
    const narrower = new Promise<void>((resolve) => terminal.onResize(resolve));
    const { success } = await new Deno.Command("stty", { args: ["cols", "40"], stdin: "inherit" }).output();
    if (!success) Deno.exit(98);
    await narrower;
    await frames();
    break;
  }
}
giveUp();
