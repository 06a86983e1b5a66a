import { createHash } from "node:crypto";
import { formatDuration } from "../../base/format_duration.ts";
import { type Html, html } from "../html.ts";
import { ledgerOf } from "../ledger.ts";
import type { RunRecord } from "../run_record.ts";
import { hostStatuses, plural } from "../run_words.ts";
import { failuresPart } from "./failures.ts";
import { ledgerPart } from "./ledger_part.ts";
import { notesPart } from "./notes.ts";
import { outputsPart } from "./outputs.ts";
import { style, styleText } from "./style.ts";
import { timelinePart } from "./timeline.ts";

// Nothing may be loaded and nothing may run; the one style sheet is known by its hash, so none can be put beside it.
const policy = `default-src 'none'; style-src 'sha256-${
  createHash("sha256").update(styleText).digest("base64")
}'; base-uri 'none'; form-action 'none'`;

/** The whole report as one page that needs nothing else. */
export function page(record: RunRecord, version: string): string {
  const status = record.end?.status ?? "broken off";
  const document = html`
    <!doctype html>
    <html lang="en">
      <head>
    <meta charset="utf-8">
    <meta http-equiv="Content-Security-Policy" content="${policy}">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <meta name="referrer" content="no-referrer">
    <meta name="generator" content="Carpool ${version}">
    <title>${record.job}: ${status}</title>
    ${style}
      </head>
      <body>
    <a class="skip" href="#main">Skip to the report</a>
    <header>
    ${head(record, status)}
    <nav aria-label="Parts of this page"><ul>
    <li><a href="#failures">Failures</a></li>
    <li><a href="#ledger">Handshake ledger</a></li>
    <li><a href="#timeline">Timeline</a></li>
    <li><a href="#outputs">Outputs</a></li>
    <li><a href="#notes">Notes</a></li>
    </ul></nav>
    </header>
    <main id="main">
    ${failuresPart(record)}
    ${ledgerPart(ledgerOf(record))}
    ${timelinePart(record)}
    ${outputsPart(record)}
    </main>
    ${notesPart(version)}
      </body>
    </html>
  `;
  return document.toString().trimStart();
}

function head(record: RunRecord, status: string): Html {
  const took = record.end?.durationMs ?? record.endedAtMs - record.startedAtMs;
  const started = new Date(record.startedAtMs).toISOString();
  return html`
    <p class="kicker">Carpool run</p>
    <h1><span class="badge ${badge(status)}">${status}</span> ${record.job}</h1>
    <p
      class="sub">${plural(record.hosts.size, "host")}, ${plural(
        record.steps.length,
        "step",
      )}, ${formatDuration(took)}; began <time datetime="${started}">${started.slice(0, 19).replace(
        "T",
        " ",
      )} UTC</time></p>
    <ul class="tiles">${tiles(record)}</ul>
  `;
}

/** Statuses as class names; nothing that comes from a host may become one. */
function badge(status: string): string {
  return { ok: "ok", failed: "failed", unreachable: "failed" }[status] ?? "warn";
}

function tiles(record: RunRecord): Html[] {
  const counts = new Map<string, number>();
  for (const { status } of record.hosts.values()) counts.set(status, (counts.get(status) ?? 0) + 1);
  const order = ["failed", "unreachable", ...hostStatuses, "running"].filter((one, i, all) =>
    all.indexOf(one) === i
  );
  return order.filter((status) => counts.has(status) || status === "ok").map((status) =>
    html`<li class="tile ${badge(status)}"><b>${counts.get(status) ?? 0}</b> ${
      status === "running" ? "not told" : status
    }</li>`
  );
}
