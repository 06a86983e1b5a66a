/** README's section on what sharing saves, from the results that are there. */
import { markdownTable, paragraph } from "../model_markers.ts";
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
    ...(missing.length > 0 ? [paragraph(`Not drawn, because no result has it: ${missing.join("; ")}.`)] : []),
    paragraph(
      "These are one machine's figures: times do not carry over to another, ratios and round trips do. How they " +
        "were taken, and against what else: [bench/README.md](bench/README.md); what an operation costs, and why: " +
        "[bench/MODEL.md](bench/MODEL.md). On a host of yours: `carpool bench web1`.",
    ),
  ].join("\n\n");
}

/** Less is noise: with one command both do the same. */
const WORTH_SAYING = 1.1;

function sentence(speedUps: readonly SpeedUpRecord[]): string[] {
  const slow = speedUps.filter(({ rttMs }) => rttMs > 0);
  const most = slow.toSorted((a, b) => a.commands - b.commands).at(-1);
  if (!most) return [];
  const ten = slow.find(({ rttMs, commands }) => rttMs === most.rttMs && commands === 10) ?? most;
  const times = (ten.perCommandMs / ten.sharedMs).toFixed(1);
  const paying = slow.filter((each) =>
    each.rttMs === ten.rttMs && each.perCommandMs / each.sharedMs > WORTH_SAYING
  );
  const from = paying.map(({ commands }) => commands).toSorted((a, b) => a - b)[0];
  const pays = from === undefined ? "" : `, and it pays from ${from} command${from === 1 ? "" : "s"} on`;
  return [paragraph(
    `On a link with a round trip of ${ten.rttMs} ms, ${ten.commands} commands in a row are **${times} times as ` +
      `fast** on one connection as on a connection each${pays}.`,
  )];
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
