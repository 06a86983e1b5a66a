import type { RunEvent } from "../base/run_event.ts";
import { takeTerminal } from "../base/terminal_turn.ts";
import { RunJournal } from "../job/journal.ts";
import { hashInputs } from "../job/journal_hash.ts";
import { journalDirectory } from "../job/journal_place.ts";
import type { JournalState } from "../job/journal_record.ts";
import type { JobConnect } from "../job/job_host.ts";
import type { SettledForecast } from "../job/dry_run.ts";
import { type Remainder, remainderOf, RunLedger } from "../job/resume.ts";
import type { Plan } from "../job/planned.ts";
import type { PreparePlan } from "../job/run_all.ts";
import { plainText } from "../report/plain_text.ts";
import { hasTerminal, TerminalPrompter } from "../target/terminal_prompter.ts";
import type { ResumeRequest } from "./journal_options.ts";
import { write } from "./write.ts";

/** What a run's journal is made from. */
export interface JournalSetup {
  /** As the command line named it; kept so that a resumed run finds it. */
  readonly args: readonly string[];
  readonly vars: readonly string[];
  /** Gives up waiting for an answer. */
  readonly signal: AbortSignal;
  /** How hosts are asked what became of steps that were under way. */
  readonly connect: (plan: Plan) => JobConnect;
}

/** An earlier sitting of the run that is taken up. */
export interface Resumed {
  readonly request: ResumeRequest;
  readonly journal: RunJournal;
  readonly state: JournalState;
}

/** What of a plan a resumed run would do, and why it would leave out the rest. */
export async function leftOf(
  plan: Plan,
  { request, state }: Resumed,
): Promise<
  { readonly plan: Plan; readonly settled: (host: string, step: string) => SettledForecast | undefined }
> {
  const { scope, policy } = request;
  const hashOf = await hashInputs(plan, journalDirectory());
  const left = remainderOf(plan, state, hashOf, { scope, policy });
  return {
    plan: left.plan,
    settled: (host, step) => {
      const found = left.settled(host, step);
      if (found?.kind === "doubtful") {
        return { would: "perhaps", why: "it was under way when the run broke off: the host is asked" };
      }
      return found && { would: "skip", why: found.kind === "done" ? found.reason : found.why };
    },
  };
}

/** Holds the journal of one run from its plan to its end. */
export class JournalledRun implements AsyncDisposable {
  readonly #setup: JournalSetup;
  readonly #resumed: Resumed | undefined;
  #journal: RunJournal | undefined;
  #mayHaveRun = false;

  constructor(setup: JournalSetup, resumed?: Resumed) {
    this.#setup = setup;
    this.#resumed = resumed;
    this.#journal = resumed?.journal;
  }

  /** Opens the journal, and leaves out of the plan what is done. */
  readonly prepare: PreparePlan = async (plan) => {
    const directory = journalDirectory();
    if (this.#resumed === undefined) {
      const { args, vars } = this.#setup;
      const hosts = plan.hosts.map(({ host }) => host);
      const task = plan.file === undefined ? null : await Deno.realPath(plan.file);
      const description = { job: plan.job, task, cwd: Deno.cwd(), args, vars, hosts };
      this.#journal = await RunJournal.create(description, directory);
      return { plan, ledger: new RunLedger(this.#journal, await hashInputs(plan, directory)) };
    }
    const { request, journal } = this.#resumed;
    const hashOf = await hashInputs(plan, directory);
    const state = await this.#askHosts(plan, this.#resumed);
    const { scope } = request;
    let left = remainderOf(plan, state, hashOf, { scope, policy: request.policy });
    if (left.doubtful.length > 0 && await this.#mayRepeat(left)) {
      left = remainderOf(plan, state, hashOf, { scope, policy: "retry" });
    }
    const count = `${left.plan.hosts.length} of ${plan.hosts.length} hosts left`;
    using _turn = takeTerminal();
    write(`carpool: resuming run ${journal.id} (${plainText(plan.job)}): ${count}\n`, "stderr");
    await journal.commit({ type: "resumed", atMs: Date.now() });
    for (const host of left.doneHosts) journal.append({ type: "host", atMs: Date.now(), host, status: "ok" });
    return { plan: left.plan, ledger: new RunLedger(journal, hashOf, left.settled) };
  };

  /** What the journal says, after hosts were asked that may know more. */
  async #askHosts(plan: Plan, { journal, state }: Resumed): Promise<JournalState> {
    const open = plan.hosts.map(({ host }) => host).filter((host) =>
      [...state.steps.get(host)?.values() ?? []].some(({ status }) => status === "started")
    );
    const { connect, signal } = this.#setup;
    const { askHosts } = await import("../job/resume_ask.ts");
    await askHosts(open, state, journal, {
      connect: connect(plan),
      signal,
      parallel: plan.strategy.parallel,
    });
    return await journal.read();
  }

  /** Asks on the terminal, where there is one, whether steps that may have run are to run again. */
  async #mayRepeat({ doubtful }: Remainder): Promise<boolean> {
    if (!hasTerminal()) return false;
    using _turn = takeTerminal();
    const shown = doubtful.slice(0, 10).map(({ host, step, title }) => `  ${host}: ${step} ${title}\n`);
    const more = doubtful.length > 10 ? `  and ${doubtful.length - 10} more\n` : "";
    write(
      plainText(
        `These were under way when the run broke off; they may or may not have run:\n${
          shown.join("")
        }${more}`,
      ),
      "stderr",
    );
    const answer = await new TerminalPrompter().line("Run them again? [y/N] ", this.#setup.signal);
    return /^y(es)?$/i.test(answer?.trim() ?? "");
  }

  /** Says how to go on with a run that did not end well. */
  tellHowToGoOn(event: RunEvent): void {
    if (event.type === "step-end" && event.error?.code === "may-have-run") this.#mayHaveRun = true;
    if (event.type !== "run-end" || event.status === "ok" || this.#journal === undefined) return;
    using _turn = takeTerminal();
    // The journal keeps their names only: without them the command would not be taken.
    const vars = (this.#resumed?.state.run.vars ?? this.#setup.vars).map((name) => ` --var ${name}=…`);
    // Their hosts were asked already, and do not know: asking again would change nothing.
    const again = this.#mayHaveRun ? " --retry-unknown (look at the hosts first)" : "";
    const command = `carpool run --resume=${this.#journal.id}${vars.join("")}${again}`;
    write(plainText(`carpool: to go on: ${command}\n`), "stderr");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#journal?.close();
  }
}
