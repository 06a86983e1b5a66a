/** The plots, from results that are there: what a plot lacks it says. Written in vega-lite. */
import { CARPOOL_KEEPER, CARPOOL_PER_COMMAND, SSH_MASTER, SSH_NEW } from "../workloads/names.ts";
import { median } from "../method/statistics.ts";
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
        axis: { values: [...new Set(values.map(({ rttMs }) => rttMs))], labelFlush: false },
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
    return {
      name,
      title,
      spec: undefined,
      missing: ["commands in a row: deno task bench speed-up-0 speed-up-50"],
    };
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
            axis: { values: counts, format: "d", labelFlush: false },
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

/** What a short command takes while bulk moves on the same connection. */
function duringBulkChart(results: Results): Chart {
  const title = "A short command while bulk moves to or from the same host";
  const name = "during-bulk";
  const found = results.workloads.filter((id) => id.startsWith("during-bulk")).map((id) =>
    results.newest(id)!
  );
  if (found.length === 0) {
    const how = "deno task bench during-bulk-narrow during-bulk-push-narrow";
    return { name, title, spec: undefined, missing: [`latency under bulk: ${how}`] };
  }
  const values = found.flatMap((workload): Bar[] =>
    [...workload.medians].flatMap(([contender, ms]) => {
      const [, tool, quantile] = /^(.*): (p50|p99)$/.exec(contender) ?? [];
      if (tool === undefined) return [];
      const panel = `${workload.id.includes("push") ? "push" : "pull"}, ${linkOf(workload)}`;
      const bar = { tool, panel };
      const idle = quantile === "p50" ? idleOf(workload, contender) : undefined;
      return [
        { ...bar, quantile, ms },
        ...(idle === undefined ? [] : [{ ...bar, quantile: "idle, p50", ms: idle }]),
      ];
    })
  );
  const classes = ["idle, p50", "p50", "p99"].filter((each) =>
    values.some(({ quantile }) => quantile === each)
  );
  const colors = classes.length === 3 ? [GREY, BLUE, ORANGE] : [BLUE, ORANGE];
  return { name, title, spec: bars({ title, values, colour: "quantile", classes, colors }), missing: [] };
}

/** The same commands without the bulk, just before. */
function idleOf({ rounds }: WorkloadRecord, contender: string): number | undefined {
  const idle = rounds.flatMap((round) =>
    round.contender === contender && typeof round.more?.idleP50Ms === "number" ? [round.more.idleP50Ms] : []
  );
  return idle.length > 0 ? median(idle) : undefined;
}

/** Fleets of many hosts, the newest first choice for each link, by tool. */
function fleetChart(results: Results): Chart {
  const name = "fleet";
  const title = "A fleet from nothing, by tool";
  const near = ["fleet-200-hosts", "fleet-0"].find((id) => results.newest(id) !== undefined);
  const far = results.workloads.filter((id) => /^fleet-[1-9]\d*$/.test(id));
  const found = [...(near === undefined ? [] : [near]), ...far].map((id) => results.newest(id)!);
  if (found.length === 0) {
    const how = "deno task bench fleet-200-hosts fleet-50";
    return { name, title, spec: undefined, missing: [`fleet wall time: ${how}`] };
  }
  const values = found.flatMap((workload): Bar[] =>
    [...workload.medians].map(([tool, ms]) => ({
      tool,
      ms,
      stopped: workload.stopped.has(tool),
      panel: `${/^\d+ hosts × \d+ steps/.exec(workload.title)?.[0] ?? workload.title}, ${linkOf(workload)}`,
      whose: tool.startsWith("carpool") ? "Carpool" : "others",
    }))
  );
  const spec = bars({ title, values, colour: "whose", classes: ["Carpool", "others"], colors: [BLUE, GREY] });
  const links = far.length > 0 ? [] : ["a fleet far away: deno task bench fleet-50"];
  return { name, title, spec, missing: [...found.flatMap(absentIn), ...links] };
}

function absentIn({ id, absent }: WorkloadRecord): string[] {
  return absent.map((who) => `${who} in ${id}`);
}

interface Bar {
  readonly tool: string;
  readonly ms: number;
  /** The panel that it is in. */
  readonly panel: string;
  /** It takes longer than the bar says. */
  readonly stopped?: boolean;
  readonly [name: string]: string | number | boolean | undefined;
}

interface BarsOptions {
  readonly title: string;
  readonly values: readonly Bar[];
  /** The field that colours stand for, its values in the order of the legend, and their colours. */
  readonly colour: string;
  readonly classes: readonly string[];
  readonly colors: readonly string[];
}

/** Bars by tool, the fastest first, a panel of them for each link. */
function bars({ title, values, colour, classes, colors }: BarsOptions): object {
  const grouped = new Set(values.map(({ tool, panel }) => `${tool} ${panel}`)).size < values.length;
  const panels = [...new Set(values.map(({ panel }) => panel))];
  const panelOf = (name: string) => {
    const here = values.filter(({ panel }) => panel === name);
    const inSeconds = Math.max(...here.map(({ ms }) => ms)) >= 10_000;
    const mine = here.map((bar): Bar & { length: number; label: string } => {
      const length = inSeconds ? bar.ms / 1000 : bar.ms;
      const figure = inSeconds ? length.toFixed(1) : Math.round(length).toLocaleString("en");
      return { ...bar, length, label: `${bar.stopped ? "more than " : ""}${figure}` };
    });
    const ranked = mine.filter((bar) => !grouped || bar[colour] === "p50");
    const tools = [...new Set(ranked.toSorted((a, b) => a.ms - b.ms).map(({ tool }) => tool))];
    const y = { field: "tool", type: "nominal", sort: tools, title: null, axis: { labelLimit: 900 } };
    const offset = grouped ? { yOffset: { field: colour, sort: classes } } : {};
    const most = Math.max(...mine.map(({ length, stopped }) => stopped ? length * 1.2 : length));
    const x = {
      field: "length",
      type: "quantitative",
      title: inSeconds ? "s" : "ms",
      axis: { format: ",d", tickCount: 5 },
      // Room for the label behind the longest bar.
      scale: { domain: [0, most * 1.2], nice: false },
    };
    return {
      title: { text: name, fontSize: 12, fontWeight: "normal", anchor: "start", frame: "group" },
      width: 400,
      height: { step: grouped ? 12 : 18 },
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
          encoding: { x, text: { field: "label", type: "nominal" } },
        },
      ],
    };
  };
  return {
    $schema: SCHEMA,
    config,
    title: { text: title, subtitle: "medians; lower is better" },
    vconcat: panels.map(panelOf),
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
