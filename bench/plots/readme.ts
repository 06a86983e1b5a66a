/** README's section on what sharing saves, from the results that are there. */
import { markdownTable } from "../model_markers.ts";
import type { Chart } from "./charts.ts";
import type { Results, SpeedUpRecord } from "./results.ts";

/** The section, without its heading. */
export function readmeSection(results: Results, charts: readonly Chart[]): string {
  const drawn = charts.filter(({ spec }) => spec !== undefined);
  const missing = charts.flatMap((chart) => chart.missing);
  return [
    ...sentence(results.speedUps),
    ...table(results.speedUps),
    ...drawn.map(({ name, title }) => `![${title}](bench/plots/current/${name}.svg)`),
    ...(missing.length > 0 ? [`Not drawn, because no result has it yet: ${missing.join("; ")}.`] : []),
    "These are one machine's figures: times do not carry over to another, ratios and round trips do. How they were\n" +
    "taken, and against what else: [bench/README.md](bench/README.md); what an operation costs, and why:\n" +
    "[bench/MODEL.md](bench/MODEL.md). On a host of yours: `carpool bench web1`.",
  ].join("\n\n");
}

function sentence(speedUps: readonly SpeedUpRecord[]): string[] {
  const slow = speedUps.filter(({ rttMs }) => rttMs > 0);
  const most = slow.toSorted((a, b) => a.commands - b.commands).at(-1);
  if (!most) return [];
  const ten = slow.find(({ rttMs, commands }) => rttMs === most.rttMs && commands === 10) ?? most;
  const times = (ten.perCommandMs / ten.sharedMs).toFixed(1);
  const from =
    slow.filter(({ rttMs, sharedMs, perCommandMs }) => rttMs === ten.rttMs && sharedMs < perCommandMs)
      .map(({ commands }) => commands).toSorted((a, b) => a - b)[0];
  const pays = from === undefined
    ? ""
    : from === 1
    ? ", and it costs nothing when there is only one"
    : `, and it pays from ${from} commands on`;
  return [
    `On a link with a round trip of ${ten.rttMs} ms, ${ten.commands} commands in a row are **${times} times as fast** ` +
    `on one connection as on a connection each${pays}.`,
  ];
}

function table(speedUps: readonly SpeedUpRecord[]): string[] {
  const rtts = [...new Set(speedUps.map(({ rttMs }) => rttMs))];
  const counts = [...new Set(speedUps.map(({ commands }) => commands))].sort((a, b) => a - b);
  if (rtts.length === 0) return [];
  const cell = (rttMs: number, commands: number) => {
    const found = speedUps.find((each) => each.rttMs === rttMs && each.commands === commands);
    return found ? `${(found.perCommandMs / found.sharedMs).toFixed(1)} ×` : "";
  };
  return [
    markdownTable([
      ["times as fast with sharing", ...counts.map((count) => `${count} command${count === 1 ? "" : "s"}`)],
      ...rtts.map((rttMs) => [
        rttMs === 0 ? "loopback" : `round trip ${rttMs} ms`,
        ...counts.map((count) => cell(rttMs, count)),
      ]),
    ]),
  ];
}
