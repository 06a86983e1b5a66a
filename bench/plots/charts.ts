/** The plots, from results that are there: what a plot lacks it says. Written in vega-lite. */
import { CARPOOL_KEEPER, CARPOOL_PER_COMMAND, SSH_MASTER, SSH_NEW } from "../workloads/names.ts";
import type { Results, WorkloadRecord } from "./results.ts";

/** A plot, or why there is none. */
export interface Chart {
  /** The file it becomes, without `.svg`. */
  readonly name: string;
  readonly title: string;
  /** In vega-lite; undefined where there is nothing to draw. */
  readonly spec: object | undefined;
  /** What is not in it because no result has it. */
  readonly missing: readonly string[];
}

/** Colours that readers with any colour vision tell apart (Okabe and Ito), by what a line stands for. */
const BLUE = "#0072b2";
const ORANGE = "#d55e00";
const GREEN = "#009e73";
const GREY = "#7f7f7f";

const SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json";

const config = {
  background: "white",
  font: "DejaVu Sans, Verdana, sans-serif",
  padding: 12,
  title: { anchor: "start", fontSize: 15, subtitleFontSize: 11, subtitleColor: "#555", offset: 12 },
  axis: { labelFontSize: 11, titleFontSize: 11, titleFontWeight: "normal", gridColor: "#e8e8e8" },
  legend: { labelFontSize: 11, labelLimit: 400, title: null, orient: "bottom", direction: "vertical" },
  view: { stroke: null },
};

/** All of them, in the order in which they are shown. */
export function charts(results: Results): Chart[] {
  return [roundTripChart(results), speedUpChart(results), duringBulkChart(results), fleetChart(results)];
}

/** Contender of the results, its name in the plot, its colour; in the order of the legend. */
const WAYS = [
  [CARPOOL_KEEPER, "Carpool, sharing one connection", BLUE],
  [SSH_MASTER, "ssh on its own master", GREEN],
  [CARPOOL_PER_COMMAND, "Carpool, a connection per command", ORANGE],
  [SSH_NEW, "ssh, a new one each time", GREY],
] as const;

/** Wall time of a command against the round-trip time; of what one round trip has, all lines have. */
function roundTripChart(results: Results): Chart {
  const missing: string[] = [];
  const found = results.workloads.filter((id) => /^exec-\d+$/.test(id)).map((id) => results.newest(id)!);
  const values = WAYS.flatMap(([contender, way]) => {
    const points = found.flatMap(({ link, medians }) => {
      const ms = medians.get(contender);
      return ms === undefined ? [] : [{ rttMs: link.rttMs, ms, way }];
    });
    if (points.length >= 2) return points;
    missing.push(`${way}, by round-trip time: deno task bench exec-0 exec-50 exec-100`);
    return [];
  });
  const title = "One command on a host that is in use, by round-trip time";
  if (values.length === 0) return { name: "round-trip", title, spec: undefined, missing };
  const spec = {
    $schema: SCHEMA,
    config,
    title: { text: title, subtitle: "emulated link; medians; lower is better" },
    width: 560,
    height: 300,
    data: { values },
    mark: { type: "line", point: { size: 45, filled: true }, strokeWidth: 2 },
    encoding: {
      x: {
        field: "rttMs",
        type: "quantitative",
        title: "round-trip time, ms",
        axis: { values: [...new Set(values.map(({ rttMs }) => rttMs))] },
      },
      y: { field: "ms", type: "quantitative", title: "wall time per command, ms" },
      color: {
        field: "way",
        type: "nominal",
        scale: scaleOf(
          WAYS.map(([, way]) => way),
          WAYS.map(([, , color]) => color),
          values.map(({ way }) => way),
        ),
      },
    },
  };
  return { name: "round-trip", title, spec, missing };
}

/** How many times as fast N commands are on one connection. */
function speedUpChart({ speedUps }: Results): Chart {
  const title = "N commands on one connection against N connections";
  const name = "speed-up";
  if (speedUps.length === 0) {
    return { name, title, spec: undefined, missing: ["commands in a row: deno task bench:model"] };
  }
  const values = speedUps.map(({ rttMs, commands, sharedMs, perCommandMs }) => ({
    commands,
    times: perCommandMs / sharedMs,
    link: rttMs === 0 ? "loopback" : `round trip ${rttMs} ms`,
  }));
  const links = [...new Set(values.map(({ link }) => link))];
  const counts = [...new Set(values.map(({ commands }) => commands))].sort((a, b) => a - b);
  const spec = {
    $schema: SCHEMA,
    config,
    title: { text: title, subtitle: "from nothing, each command after the one before; higher is better" },
    width: 560,
    height: 280,
    data: { values },
    layer: [
      {
        mark: { type: "rule", strokeDash: [4, 4], color: "#999" },
        encoding: { y: { datum: 1, type: "quantitative" } },
      },
      {
        mark: { type: "line", point: { size: 45, filled: true }, strokeWidth: 2 },
        encoding: {
          x: {
            field: "commands",
            type: "quantitative",
            scale: { type: "log", nice: false, domain: [counts[0], counts.at(-1)] },
            axis: { values: counts, format: "d" },
            title: "commands (logarithmic)",
          },
          y: {
            field: "times",
            type: "quantitative",
            title: "times as fast with sharing",
            scale: { zero: true },
          },
          color: { field: "link", type: "nominal", scale: scaleOf(links, [GREEN, BLUE, ORANGE], links) },
        },
      },
    ],
  };
  return { name, title, spec, missing: [] };
}

/** What a short command takes while a bulk transfer runs on the same connection. */
function duringBulkChart(results: Results): Chart {
  const title = "A short command while bulk is pulled from the same host";
  const name = "during-bulk";
  const found = results.workloads.filter((id) => id.startsWith("during-bulk")).map((id) =>
    results.newest(id)!
  );
  if (found.length === 0) {
    return { name, title, spec: undefined, missing: ["latency under bulk: deno task bench during-bulk"] };
  }
  const values = found.flatMap((workload) =>
    [...workload.medians].flatMap(([contender, ms]) => {
      const [, tool, quantile] = /^(.*): (p50|p99)$/.exec(contender) ?? [];
      return tool === undefined ? [] : [{ tool, quantile, ms, link: linkOf(workload) }];
    })
  );
  return {
    name,
    title,
    spec: bars({ title, values, colour: "quantile", colors: [BLUE, ORANGE] }),
    missing: [],
  };
}

/** A fleet from nothing, by tool. */
function fleetChart(results: Results): Chart {
  const name = "fleet";
  const found = results.workloads.filter((id) => /^fleet-\d+$/.test(id)).map((id) => results.newest(id)!);
  const size = /^\d+ hosts × \d+ steps/.exec(found[0]?.title ?? "")?.[0];
  const title = `A fleet from nothing${size ? `: ${size}` : ""}, by tool`;
  if (found.length === 0) {
    return { name, title, spec: undefined, missing: ["fleet wall time: deno task bench fleet-0 fleet-50"] };
  }
  const values = found.flatMap((workload) =>
    [...workload.medians].map(([tool, ms]) => ({
      tool,
      ms,
      link: linkOf(workload),
      whose: tool.startsWith("carpool") ? "Carpool" : "others",
    }))
  );
  const spec = bars({ title, values, colour: "whose", colors: [BLUE, GREY] });
  const links = found.some(({ link }) => link.rttMs > 0)
    ? []
    : ["a fleet far away: deno task bench fleet-50"];
  return { name, title, spec, missing: [...found.flatMap(absentIn), ...links] };
}

function absentIn({ id, absent }: WorkloadRecord): string[] {
  return absent.map((who) => `${who} in ${id}`);
}

interface Bar {
  readonly tool: string;
  readonly ms: number;
  readonly link: string;
  readonly [name: string]: string | number;
}

interface BarsOptions {
  readonly title: string;
  readonly values: readonly Bar[];
  /** The field that colours stand for. */
  readonly colour: string;
  readonly colors: readonly string[];
}

/** Bars by tool, the fastest first, a row of them for each link. */
function bars({ title, values, colour, colors }: BarsOptions): object {
  const classes = [...new Set(values.map((value) => String(value[colour])))].sort();
  const grouped = new Set(values.map(({ tool, link }) => `${tool} ${link}`)).size < values.length;
  const links = [...new Set(values.map(({ link }) => link))];
  const panel = (link: string) => {
    const mine = values.filter((value) => value.link === link);
    const tools = [...new Set(mine.toSorted((a, b) => a.ms - b.ms).map(({ tool }) => tool))];
    const y = { field: "tool", type: "nominal", sort: tools, title: null, axis: { labelLimit: 900 } };
    const offset = grouped ? { yOffset: { field: colour, sort: classes } } : {};
    const x = { field: "ms", type: "quantitative", title: "ms", axis: { format: ",d" } };
    return {
      title: { text: link, fontSize: 12, fontWeight: "normal", anchor: "start" },
      width: 400,
      height: { step: grouped ? 13 : 19 },
      data: { values: mine },
      encoding: { y, ...offset },
      layer: [
        {
          mark: { type: "bar" },
          encoding: {
            x,
            color: { field: colour, type: "nominal", scale: { domain: classes, range: colors } },
          },
        },
        {
          mark: { type: "text", align: "left", dx: 4, fontSize: 10, color: "#444" },
          encoding: { x, text: { field: "ms", type: "quantitative", format: ",.0f" } },
        },
      ],
    };
  };
  return {
    $schema: SCHEMA,
    config,
    title: { text: title, subtitle: "medians; lower is better" },
    vconcat: links.map(panel),
  };
}

function linkOf({ id, link }: WorkloadRecord): string {
  if (!link.emulated) return "loopback";
  const narrow = id.endsWith("narrow") ? ", 100 Mbit/s" : "";
  return `emulated link, round trip ${link.rttMs} ms${narrow}`;
}

/** Colours for the names that are there, the same for a name whichever others are. */
function scaleOf(names: readonly string[], colors: readonly string[], there: readonly string[]) {
  const kept = names.map((name, at) => [name, colors[at % colors.length]] as const)
    .filter(([name]) => there.includes(name));
  return { domain: kept.map(([name]) => name), range: kept.map(([, color]) => color) };
}
