import { assertEquals } from "@std/assert";
import type { RunEvent } from "../../lib/base/run_event.ts";
import { ledgerOf } from "../../lib/report/ledger.ts";
import { RunRecord } from "../../lib/report/run_record.ts";

const step = { step: "1", kind: "exec", title: "x" } as const;

function record(
  hosts: readonly {
    kind: "new" | "carpool-master" | "openssh-master";
    ms: number;
    attempts: readonly number[];
  }[],
): RunRecord {
  const events: RunEvent[] = [];
  hosts.forEach(({ kind: connection, ms, attempts }, i) => {
    const host = `h${i}`;
    events.push({ type: "host-start", atMs: 0, host });
    events.push({ type: "host-ready", atMs: ms, host, where: host, connection, durationMs: ms });
    attempts.forEach((count, n) => {
      const at = { atMs: ms, host, step: String(n) };
      events.push({ ...step, ...at, type: "step-start" });
      const rest = { code: 0, signal: null, timedOut: false, durationMs: 1, bytes: 0 };
      events.push({ ...at, type: "step-end", status: "ok", outcome: "exited", attempts: count, ...rest });
    });
  });
  const made = new RunRecord();
  for (const event of events) made.apply(event);
  return made;
}

Deno.test("the ledger reckons a new ssh for each attempt against the connections of the run", () => {
  const ledger = ledgerOf(record([{ kind: "new", ms: 400, attempts: [1, 1, 3] }]));
  assertEquals(ledger, {
    hosts: 1,
    sessions: 5,
    opened: 1,
    ridden: { carpool: 0, openssh: 0 },
    avoided: 4,
    // Five times nine, against nine and four times two.
    roundTrips: { separate: 45, shared: 17 },
    seconds: {
      sum: 1.6,
      made: 0.4,
      longest: 1.6,
      connect: 0.4,
      measured: 1,
      byRoundTrips: { hosts: 0, sum: 0 },
      unknown: 0,
    },
  });
});

Deno.test("the ledger claims no seconds for hosts whose handshake this run did not see", () => {
  const ledger = ledgerOf(record([
    { kind: "new", ms: 300, attempts: [1, 1] },
    { kind: "carpool-master", ms: 2, attempts: [1, 1, 1] },
    { kind: "openssh-master", ms: 3, attempts: [1] },
  ]));
  assertEquals([ledger.avoided, ledger.ridden], [5, { carpool: 1, openssh: 1 }]);
  assertEquals(ledger.seconds!.sum, 0.3);
  assertEquals(ledger.seconds!.unknown, 2);
  assertEquals(ledgerOf(record([{ kind: "carpool-master", ms: 2, attempts: [1, 1] }])).seconds, null);
});

Deno.test("the ledger reckons a ridden host by the round trips that were seen, and says so apart", () => {
  const made = record([{ kind: "carpool-master", ms: 2, attempts: [1, 1] }, {
    kind: "new",
    ms: 300,
    attempts: [1],
  }]);
  const steps = { ok: 2, failed: 0, unknown: 0, skipped: 0, notRun: 0 };
  const end = {
    type: "host-end",
    atMs: 9,
    status: "ok",
    steps,
    connections: 0,
    durationMs: 9,
    rttMs: 50,
  } as const;
  made.apply({ ...end, host: "h0" });
  made.apply({ ...end, host: "h1" });
  const { sum, byRoundTrips, measured, longest, unknown } = ledgerOf(made).seconds!;
  // Two connections not opened, seven round trips of 50 ms each.
  assertEquals(byRoundTrips, { hosts: 1, sum: 0.7 });
  assertEquals([sum, longest, measured, unknown], [byRoundTrips.sum, byRoundTrips.sum, 1, 0]);
});

Deno.test("the ledger is never below nothing: a host that took no step saved nothing", () => {
  const ledger = ledgerOf(record([{ kind: "new", ms: 300, attempts: [] }]));
  assertEquals([ledger.avoided, ledger.roundTrips.separate - ledger.roundTrips.shared, ledger.seconds!.sum], [
    0,
    0,
    0,
  ]);
});

Deno.test("the ledger counts only hosts that were reached", () => {
  const made = record([{ kind: "new", ms: 300, attempts: [1] }]);
  made.apply({ type: "host-unreachable", atMs: 1, host: "gone", error: { code: "refused", message: "no" } });
  assertEquals(ledgerOf(made).hosts, 1);
});
