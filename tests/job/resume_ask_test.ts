import { assertEquals } from "@std/assert";
import { RunJournal } from "../../lib/job/journal.ts";
import type { JournalState, StartedRecord } from "../../lib/job/journal_record.ts";
import { askHosts } from "../../lib/job/resume_ask.ts";
import { FakeHost } from "./fake_host.ts";

/** What a host answers: its notes, and how long it has been up. */
interface Answers {
  readonly notes: string;
  readonly upSeconds?: string;
  readonly unreachable?: boolean;
}

/**
 * A run that broke off when `a` had been sent four steps together, and had told of `told`; then `a` is asked.
 *
 * @returns What is known of each step afterwards, and whether the host could be asked once more.
 */
async function afterAsking(
  answers: Answers,
  { told = 0, agoMs = 1000 }: { readonly told?: number; readonly agoMs?: number } = {},
): Promise<{ readonly steps: Record<string, string>; readonly again: boolean }> {
  const directory = `${await Deno.makeTempDir({ prefix: "cp-ask-" })}/runs`;
  const description = { job: "x", task: null, cwd: "/", args: [], vars: [], hosts: ["a"] };
  const journal = await RunJournal.create(description, directory);
  const steps = ["before.1", "1", "2", "3"];
  const sent: StartedRecord = {
    type: "started",
    atMs: Date.now() - agoMs,
    host: "a",
    parcel: "abc",
    steps: steps.map((step) => [step, `h${step}`]),
  };
  journal.append(sent);
  for (const step of steps.slice(0, told)) {
    journal.append({ type: "ended", atMs: 2, host: "a", step, status: "ok", outcome: "exited", code: 0 });
  }
  const connect = (name: string) => {
    if (answers.unreachable) return Promise.reject(new Deno.errors.ConnectionRefused());
    return Promise.resolve(
      new FakeHost(name, ({ command }) => ({
        stdout: command.includes("uptime") && !command.includes("mkdir")
          ? `${answers.upSeconds ?? "1000000.00"} 1.0\n`
          : answers.notes,
      })),
    );
  };
  const options = { connect, signal: new AbortController().signal, parallel: 2 };
  await askHosts(["a"], await journal.read(), journal, options);
  const state: JournalState = await journal.read();
  await journal.close();
  await Deno.remove(`${directory}/..`, { recursive: true });
  const found = [...state.steps.get("a") ?? []].map(([step, { status }]) => [step, status]);
  return { steps: Object.fromEntries(found), again: state.parcels.has("a") };
}

Deno.test("host that is asked tells what ran, what was under way, and what never began", async () => {
  const notes = "P 1\nB 1\nE 1 0 - 0\nB 2\nE 2 3 - 0\nB 3\nall\n";
  assertEquals(await afterAsking({ notes }), {
    steps: { "before.1": "ok", 1: "failed", 2: "unknown" },
    again: false,
  });
});

Deno.test("what was told before is not changed by what a host says later", async () => {
  const notes = "P 1\nB 1\nE 1 1 - 0\nB 2\nX 2 0\nall\n";
  assertEquals((await afterAsking({ notes }, { told: 1 })).steps, { "before.1": "ok", 1: "ok" });
});

Deno.test("host that knows of nothing never began, if it would still know", async () => {
  const none = { notes: "none\n" };
  const doubtful = { "before.1": "started", 1: "started", 2: "started", 3: "started" };
  assertEquals((await afterAsking(none)).steps, {});
  // It told of a step, so that there were notes, and they are gone.
  assertEquals((await afterAsking(none, { told: 1 })).steps, { ...doubtful, "before.1": "ok" });
  // It was up for less time than has passed: notes lie in /tmp, which a reboot may clear.
  assertEquals((await afterAsking({ ...none, upSeconds: "30" }, { agoMs: 60_000 })).steps, doubtful);
  assertEquals((await afterAsking({ ...none, upSeconds: "?" })).steps, doubtful);
  assertEquals((await afterAsking(none, { agoMs: 24 * 3_600_000 })).steps, doubtful);
});

Deno.test("host is asked once: with the answer its notes are gone", async () => {
  const garbled = await afterAsking({ notes: "something else\n" });
  assertEquals([garbled.steps["1"], garbled.again], ["started", false]);
});

Deno.test("host that cannot be reached is left as it is, and can be asked later", async () => {
  const { steps, again } = await afterAsking({ notes: "", unreachable: true });
  assertEquals([steps["1"], again], ["started", true]);
});

Deno.test("step that had ended is done, although nobody could be told of it any more", async () => {
  const lost = "P 1\nB 1\nE 1 0 - 0\nB 2\nX 2 0\nE 2 0 - 0\nL\nall\n";
  assertEquals((await afterAsking({ notes: lost })).steps, { "before.1": "ok", 1: "ok" });
  const notRun = "P 1\nB 1\nX 1 0\nE 1 0 - 0\nB 2\nL\nall\n";
  assertEquals((await afterAsking({ notes: notRun })).steps, { "before.1": "ok" });
});
