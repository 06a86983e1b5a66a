/** A run that never was: its events, for reporters to show. */
import type { RunEvent, StepInfo } from "../../lib/base/run_event.ts";

export interface MadeRun {
  readonly hosts: number;
  readonly steps: number;
  /** Hosts that fail at their third step; default 0. */
  readonly failing?: number;
  /** Hosts that cannot be reached; default 0. */
  readonly unreachable?: number;
  /** Hosts whose master was alive; default 0. */
  readonly warm?: number;
  /** What a step writes; default: the same on every host. */
  readonly output?: (host: string, step: string) => string;
}

const titles = [
  "stop the service",
  "copy ./dist/ to /srv/shop/",
  "./migrate.sh",
  "render shop.conf",
  "start the service",
];

/** The events of such a run in the order of their times, which are made up but always the same. */
export function madeRun(options: MadeRun): RunEvent[] {
  const { hosts: count, steps: stepCount, failing = 0, unreachable = 0, warm = 0 } = options;
  const output = options.output ?? ((_host, step) => `step ${step} done\n`);
  const width = String(count).length;
  const hosts = Array.from({ length: count }, (_, i) => `web${String(i + 1).padStart(width, "0")}`);
  const steps: StepInfo[] = Array.from({ length: stepCount }, (_, i) => ({
    step: String(i + 1),
    kind: i === 1 ? "copy" : "exec",
    title: titles[i] ?? `check part ${i + 1}`,
  }));
  const began = Date.UTC(2026, 10, 21, 12);
  const events: RunEvent[] = [];
  const ends = { ok: 0, failed: 0, unreachable: 0, skipped: 0, interrupted: 0 };
  let connections = 0;
  let seed = 7;
  const random = () => (seed = seed * 16807 % 2147483647) / 2147483647;
  const lanes = Array.from({ length: 32 }, () => began);
  hosts.forEach((host, i) => {
    const lane = i % lanes.length;
    let at = lanes[lane] + 1 + Math.floor(random() * 20);
    const startedAt = at;
    const counts = { ok: 0, failed: 0, unknown: 0, skipped: 0, notRun: stepCount };
    const end = (status: "ok" | "failed" | "unreachable", reason?: string) => {
      ends[status]++;
      const durationMs = at - startedAt;
      events.push({
        type: "host-end",
        atMs: at,
        host,
        status,
        reason,
        steps: counts,
        connections: i < warm ? 0 : 1,
        rttMs: 24,
        durationMs,
      });
      lanes[lane] = at;
    };
    events.push({ type: "host-start", atMs: at, host });
    const connecting = i < warm ? 4 : 180 + Math.floor(random() * 240);
    at += connecting;
    const bad = count - 1 - i;
    if (bad < unreachable) {
      const message = `Cannot connect: deploy@${host}:22: connection refused; is sshd running there?`;
      events.push({ type: "host-unreachable", atMs: at, host, error: { code: "refused", message } });
      return end("unreachable", message);
    }
    const connection = i < warm ? "carpool-master" : "new";
    if (connection === "new") connections++;
    events.push({
      type: "host-ready",
      atMs: at,
      host,
      where: `deploy@${host}:22`,
      connection,
      durationMs: connecting,
    });
    for (const { step, kind, title } of steps) {
      at += 2;
      counts.notRun--;
      if (step === "4" && i % 5 === 0) {
        counts.skipped++;
        events.push({
          type: "step-skip",
          atMs: at,
          host,
          step,
          kind,
          title,
          reason: "/srv/shop/.done exists",
        });
        continue;
      }
      events.push({ type: "step-start", atMs: at, host, step, kind, title });
      const startedStep = at;
      at += 40 + Math.floor(random() * (i % 17 === 0 ? 900 : 160));
      if (kind === "copy") {
        const path = "assets/app.js";
        events.push({
          type: "step-progress",
          atMs: startedStep + 20,
          host,
          step,
          path,
          bytes: 1_200_000,
          totalBytes: 4_800_000,
        });
      }
      const text = kind === "copy" ? "" : output(host, step);
      if (text !== "") {
        events.push({ type: "step-output", atMs: at - 1, host, step, stream: "stdout", text });
      }
      const fails = step === "3" && bad < unreachable + failing;
      if (fails) {
        const text = 'applying 0042_add_index.sql\nERROR: relation "orders" is locked\n';
        events.push({ type: "step-output", atMs: at - 1, host, step, stream: "stderr", text });
      }
      counts[fails ? "failed" : "ok"]++;
      events.push({
        type: "step-end",
        atMs: at,
        host,
        step,
        status: fails ? "failed" : "ok",
        outcome: kind === "copy" ? null : "exited",
        code: kind === "copy" ? null : fails ? 3 : 0,
        signal: null,
        timedOut: false,
        attempts: 1,
        durationMs: at - startedStep,
        bytes: text.length,
      });
      if (fails) return end("failed", `step ${step} (${title}): exit status 3`);
    }
    end("ok");
  });
  events.sort((a, b) => a.atMs - b.atMs);
  const endedAt = events.at(-1)?.atMs ?? began;
  return [
    { type: "run-start", version: 1, atMs: began, job: "deploy", hosts, steps },
    ...events,
    {
      type: "run-end",
      atMs: endedAt,
      job: "deploy",
      status: failing > 0 ? "failed" : unreachable > 0 ? "unreachable" : "ok",
      hosts: ends,
      connections,
      durationMs: endedAt - began,
    },
  ];
}
