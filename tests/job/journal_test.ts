import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { fc } from "fast-check";
import { CarpoolError } from "../../lib/base/errors.ts";
import { findRun, isLive, listRuns, RunJournal } from "../../lib/job/journal.ts";
import { hashInputs } from "../../lib/job/journal_hash.ts";
import { isRunId, journalPath, newRunId, pruneJournals, runIds } from "../../lib/job/journal_place.ts";
import { type JournalRecord, type JournalState, readJournal } from "../../lib/job/journal_record.ts";
import { makePlan } from "../../lib/job/make_plan.ts";

const description = {
  job: "deploy",
  task: "/tasks/deploy.yaml",
  cwd: "/",
  args: [],
  vars: [],
  hosts: ["a", "b"],
};

class Place implements AsyncDisposable {
  private constructor(readonly path: string, readonly runs: string) {}

  static async make(): Promise<Place> {
    const path = await Deno.makeTempDir({ prefix: "cp-journal-" });
    return new Place(path, join(path, "state", "runs"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

function started(host: string, ...steps: string[]): JournalRecord {
  return {
    type: "started",
    atMs: 1,
    host,
    steps: steps.map((step) => [step, `h${step}`] as const),
  };
}

function ended(host: string, step: string, status: "ok" | "failed" | "unknown" = "ok"): JournalRecord {
  return { type: "ended", atMs: 2, host, step, status, outcome: status === "unknown" ? "unknown" : "exited" };
}

function known(state: JournalState, host: string): Record<string, string> {
  return Object.fromEntries([...state.steps.get(host) ?? []].map(([step, { status }]) => [step, status]));
}

Deno.test("journal lies in a directory for its owner alone, and is for its owner alone", async () => {
  await using place = await Place.make();
  using journal = await RunJournal.create(description, place.runs);
  assertEquals((await Deno.stat(place.runs)).mode! & 0o777, 0o700);
  assertEquals((await Deno.stat(journal.path)).mode! & 0o777, 0o600);
  await Deno.chmod(place.runs, 0o755);
  const error = await assertRejects(() => RunJournal.create(description, place.runs), CarpoolError);
  assertEquals([error.why, error.fix], ["it is open to others", `run: chmod 700 ${place.runs}`]);
});

Deno.test("journal gives back what was written, the last word on a step counting", async () => {
  await using place = await Place.make();
  const journal = await RunJournal.create(description, place.runs);
  await journal.commit(started("a", "1", "2"));
  journal.append(ended("a", "1"));
  await journal.commit(started("b", "1"));
  journal.append(ended("b", "1", "failed"));
  journal.append({ type: "host", atMs: 3, host: "b", status: "failed" });
  await journal.close();
  const { journal: again, state } = await RunJournal.reopen(journal.id, place.runs);
  using _ = again;
  assertEquals(known(state, "a"), { 1: "ok", 2: "started" });
  assertEquals(known(state, "b"), { 1: "failed" });
  assertEquals([...state.hosts], [["b", "failed"]]);
  assertEquals(state.run.job, "deploy");
  assertEquals(state.end, undefined);
});

Deno.test("journal outlives its process at any byte: what is whole counts, a torn last line does not", () => {
  const encoder = new TextEncoder();
  const first = { type: "run", version: 1, atMs: 0, id: "20260101-000000-aaaa", ...description };
  const step = fc.record({
    host: fc.constantFrom("a", "b"),
    step: fc.constantFrom("1", "2", "3.1"),
    ok: fc.boolean(),
  });
  fc.assert(fc.property(fc.array(step), fc.nat(), (steps, cut) => {
    const records = steps.map(({ host, step, ok }) => ok ? ended(host, step) : started(host, step));
    const lines = [first, ...records].map((record) => encoder.encode(`${JSON.stringify(record)}\n`));
    const bytes = new Uint8Array(lines.flatMap((line) => [...line]));
    const head = lines[0]!.length;
    const at = head + cut % (bytes.length - head + 1);
    const torn = readJournal(bytes.subarray(0, at));
    let whole = head;
    let count = 0;
    while (count < records.length && whole + lines[count + 1]!.length <= at) whole += lines[++count]!.length;
    const expected = readJournal(bytes.subarray(0, whole));
    assert("run" in torn && "run" in expected);
    assertEquals(torn, expected);
    assertEquals(torn.wholeBytes, whole);
  }));
});

Deno.test("journal is gone on with behind its last whole line when the last one was torn", async () => {
  await using place = await Place.make();
  const journal = await RunJournal.create(description, place.runs);
  journal.append(ended("a", "1"));
  await journal.close();
  await Deno.writeTextFile(journal.path, '{"type":"ended","atMs":3,"ho', { append: true });
  {
    const { journal: again } = await RunJournal.reopen(journal.id, place.runs);
    again.append(ended("a", "2"));
    await again.close();
  }
  const { journal: third, state } = await RunJournal.reopen(journal.id, place.runs);
  using _ = third;
  assertEquals(known(state, "a"), { 1: "ok", 2: "ok" });
});

Deno.test("journal that is damaged in its middle is refused with the line", () => {
  const first = JSON.stringify({ type: "run", version: 1, atMs: 0, id: "x", ...description });
  assertEquals(
    readJournal(new TextEncoder().encode(`${first}\n{"type\n${JSON.stringify(ended("a", "1"))}\n`)),
    {
      line: 2,
      why: "it is no record",
    },
  );
  assertEquals(readJournal(new TextEncoder().encode(`${first.replace('"version":1', '"version":9')}\n`)), {
    line: 1,
    why: "it has version 9, and 1 is known here",
  });
});

Deno.test("journal shares one flush among a thousand hosts that begin together", async () => {
  await using place = await Place.make();
  using journal = await RunJournal.create(description, place.runs);
  const before = journal.flushes;
  await Promise.all(Array.from({ length: 1000 }, (_, n) => journal.commit(started(`web${n}`, "1"))));
  assert(journal.flushes - before <= 2, `${journal.flushes - before} flushes`);
});

Deno.test("journal line is in the file, whole, before its commit resolves and when append returns", async () => {
  await using place = await Place.make();
  using journal = await RunJournal.create(description, place.runs);
  journal.append(started("a", "1"));
  const state = readJournal(await Deno.readFile(journal.path));
  assert("run" in state);
  assertEquals(known(state, "a"), { 1: "started" });
});

Deno.test("journal of a run that goes on cannot be resumed, nor is it pruned", async () => {
  await using place = await Place.make();
  using journal = await RunJournal.create(description, place.runs);
  assertEquals(await isLive(journal.path), true);
  const error = await assertRejects(() => RunJournal.reopen(journal.id, place.runs), CarpoolError);
  assertEquals(error.code, "run-goes-on");
  const limits = { runs: 0, now: Date.now() + 90 * 86_400_000 };
  assertEquals(await pruneJournals(place.runs, isLive, limits), 0);
  await journal.close();
  assertEquals(await isLive(journal.path), false);
  assertEquals(await pruneJournals(place.runs, isLive, limits), 1);
});

Deno.test("journals beyond the newest hundred are pruned when a run begins", async () => {
  await using place = await Place.make();
  await Deno.mkdir(place.runs, { recursive: true, mode: 0o700 });
  for (let n = 0; n < 105; n++) {
    await Deno.writeTextFile(journalPath(place.runs, `20250101-000${String(n).padStart(3, "0")}-aaaa`), "");
  }
  using journal = await RunJournal.create(description, place.runs);
  const left = await runIds(place.runs);
  assertEquals([left.length, left[0]], [100, journal.id]);
  assert(!left.includes("20250101-000000-aaaa"));
});

Deno.test("a run is found by the beginning of its name, and without one it is the newest unfinished of the task", async () => {
  await using place = await Place.make();
  const make = async (task: string, end?: "ok" | "failed") => {
    const journal = await RunJournal.create({ ...description, task }, place.runs);
    if (end) journal.append({ type: "end", atMs: 1, status: end });
    if (end === "ok") {
      for (const host of ["a", "b"]) journal.append({ type: "host", atMs: 1, host, status: end });
    }
    await journal.close();
    return journal.id;
  };
  const failed = await make("/tasks/deploy.yaml", "failed");
  await make("/tasks/deploy.yaml", "ok");
  assertEquals(await findRun({}, place.runs), failed);
  assertEquals(await findRun({ id: failed }, place.runs), failed);
  assertEquals(await findRun({ task: "/tasks/deploy.yaml" }, place.runs), failed);
  const error = await assertRejects(() => findRun({ task: "/tasks/other.yaml" }, place.runs), CarpoolError);
  assertEquals(error.why, "no run is left unfinished");
  await assertRejects(() => findRun({ id: "20010101-000000" }, place.runs), CarpoolError, "no such run");
  const listed = await Array.fromAsync(listRuns(place.runs));
  assertEquals(listed.map(({ state }) => state?.end).sort(), ["failed", "ok"]);
});

Deno.test("names of runs sort by time and stay inside their directory", () => {
  const ids = [1, 2, 3].map((second) => newRunId(new Date(Date.UTC(2026, 10, 21, 9, 0, second))));
  assertEquals(ids.toSorted(), ids);
  assert(ids.every(isRunId));
  assertEquals(isRunId("../../etc/passwd"), false);
});

Deno.test("input hash changes with what a step does and with the file it copies, not with its name or its patience", async () => {
  await using place = await Place.make();
  const file = join(place.path, "file.txt");
  await Deno.writeTextFile(file, "one");
  const hash = async (exec: string, extra: Record<string, unknown> = {}) => {
    const steps = [{ exec, ...extra }, { copy: file, to: "/tmp/x" }];
    const hashOf = await hashInputs(await makePlan({ hosts: ["a"], steps }), place.runs);
    return [hashOf("a", "1"), hashOf("a", "2")];
  };
  const [command, copy] = await hash("echo 1");
  assertEquals(await hash("echo 1", { name: "other", timeout: "5s", retries: 3 }), [command, copy]);
  assert((await hash("echo 2"))[0] !== command);
  assert((await hash("echo 1", { env: { name: "x" } }))[0] !== command);
  await Deno.writeTextFile(file, "two");
  assert((await hash("echo 1"))[1] !== copy);
});

Deno.test("input hash needs the key of the account, so that a journal alone gives no means to guess", async () => {
  await using here = await Place.make();
  await using there = await Place.make();
  const plan = await makePlan({ hosts: ["a"], steps: [{ exec: "login hunter2" }] });
  const [one, same, other] = [
    await hashInputs(plan, here.runs),
    await hashInputs(plan, here.runs),
    await hashInputs(plan, there.runs),
  ].map((hashOf) => hashOf("a", "1"));
  assertEquals(one, same);
  assert(one !== other);
  assertEquals((await Deno.stat(join(here.runs, "journal.key"))).mode! & 0o777, 0o600);
  assertEquals([...Deno.readDirSync(here.runs)].map(({ name }) => name), ["journal.key"]);
});
