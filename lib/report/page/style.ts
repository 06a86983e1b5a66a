import { html } from "../html.ts";

// One literal, so that the text that is hashed is the text that stands in the page. No `<`, no `&`, no value in it.
/** The page's style sheet as an element. */
export const style = html`<style>
:root {
  color-scheme: light dark;
  --ground: #ffffff; --raised: #f5f6f8; --line: #d9dde3; --ink: #1b2129; --soft: #59636f; --link: #0b5cad;
  --ok: #1f8f63; --even: #5cbb94; --failed: #c62828; --warn: #b26a00; --new: #7a5cc4; --ride: #a7b4c6;
  --ok-ground: #e2f4eb; --failed-ground: #fdeaea; --warn-ground: #fdf1dd;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #12161b; --raised: #1b2128; --line: #333c47; --ink: #e6eaef; --soft: #9aa6b3; --link: #7db7f5;
    --ok: #3fb683; --even: #23805a; --failed: #ff7b72; --warn: #e3a341; --new: #a08be0; --ride: #5b6878;
    --ok-ground: #12301f; --failed-ground: #3a1719; --warn-ground: #33260d;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 76rem; padding: 1.5rem 1.25rem 3rem; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif;
}
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.25rem 0 .75rem; }
h3 { font-size: 1rem; margin: 0 0 .35rem; overflow-wrap: anywhere; }
p { margin: .35rem 0; }
a { color: var(--link); }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; border-radius: 3px; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: .5rem; background: var(--ground); padding: .3rem .6rem; }
.kicker { color: var(--soft); font-size: .8rem; letter-spacing: .06em; text-transform: uppercase; margin: 0; }
.sub, .soft, .note, .count { color: var(--soft); }
.count { font-size: .85rem; font-weight: normal; white-space: nowrap; }
nav ul, .tiles, .legend, .cards { display: flex; flex-wrap: wrap; gap: .5rem 1.1rem; list-style: none; margin: .75rem 0 0; padding: 0; }
.tiles { gap: .6rem; }
.tile { border: 1px solid var(--line); border-left-width: 4px; border-radius: 6px; padding: .3rem .8rem; background: var(--raised); }
.tile b { font-size: 1.15rem; }
.tile.ok { border-left-color: var(--ok); } .tile.failed { border-left-color: var(--failed); } .tile.warn { border-left-color: var(--warn); }
.badge { display: inline-block; font-size: .75rem; font-weight: 600; border-radius: 4px; padding: .1rem .5rem; vertical-align: .12em; text-transform: uppercase; letter-spacing: .03em; }
.badge.ok { background: var(--ok-ground); color: var(--ok); }
.badge.failed { background: var(--failed-ground); color: var(--failed); }
.badge.warn { background: var(--warn-ground); color: var(--warn); }
.calm { color: var(--ok); }
.failure { border: 1px solid var(--line); border-left: 4px solid var(--failed); border-radius: 6px; padding: .7rem .9rem; margin: 0 0 .8rem; }
.failure.warn { border-left-color: var(--warn); }
.hosts { font-weight: 600; overflow-wrap: anywhere; }
.why { overflow-wrap: anywhere; } ul.why { margin: .3rem 0; padding-left: 1.2rem; }
pre {
  margin: .5rem 0 0; padding: .6rem .8rem; max-height: 24rem; overflow: auto; background: var(--raised);
  border: 1px solid var(--line); border-radius: 6px; font: 13px/1.45 ui-monospace, monospace; white-space: pre-wrap;
  overflow-wrap: anywhere; unicode-bidi: isolate; tab-size: 8;
}
pre .err { color: var(--failed); }
pre .note { font-style: italic; }
.card { flex: 1 1 12rem; border: 1px solid var(--line); border-radius: 6px; padding: .7rem .9rem; background: var(--raised); }
.card b { display: block; font-size: 1.5rem; line-height: 1.2; } .card span { color: var(--soft); font-size: .9rem; }
table { border-collapse: collapse; margin: .9rem 0 .6rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding-bottom: .3rem; }
th, td { text-align: left; padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
thead th { color: var(--soft); font-weight: 600; font-size: .85rem; }
tbody th { font-weight: normal; }
#ledger td, #ledger thead th + th { text-align: right; overflow-wrap: normal; padding-left: 1.2rem; padding-right: 0; }
#ledger td { white-space: nowrap; }
td.failed { color: var(--failed); } td.warn { color: var(--warn); }
summary { cursor: pointer; }
.legend { color: var(--soft); font-size: .85rem; margin-bottom: .8rem; }
.key { width: 1.6rem; height: .7rem; vertical-align: -.02em; border-radius: 2px; }
.host { display: grid; grid-template-columns: minmax(6rem, 13rem) 1fr 6.5rem; gap: .75rem; align-items: center; }
.waterfall svg { width: 100%; display: block; overflow: visible; }
.axis { position: sticky; top: 0; background: var(--ground); padding: .2rem 0; border-bottom: 1px solid var(--line); }
.axis line { stroke: var(--line); } .axis text { fill: var(--soft); font-size: 11px; }
.row summary { list-style: none; padding: .1rem .2rem; }
.row summary::-webkit-details-marker { display: none; }
.row summary:hover, .row[open] summary { background: var(--raised); }
.name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font: 13px/1.4 ui-monospace, monospace; }
.row .name::before { content: "\\25b8\\a0"; color: var(--soft); }
.row[open] .name::before { content: "\\25be\\a0"; }
.end { font-size: .85rem; text-align: right; font-variant-numeric: tabular-nums; }
.end.ok { color: var(--soft); } .end.failed { color: var(--failed); font-weight: 600; } .end.warn { color: var(--warn); }
.inside { padding: .3rem 0 .9rem 1rem; border-bottom: 1px solid var(--line); }
rect.ok { fill: var(--ok); } rect.ok.even { fill: var(--even); } rect.failed { fill: var(--failed); }
rect.warn { fill: var(--warn); } rect.new { fill: var(--new); } rect.ride { fill: var(--ride); }
.output { border-bottom: 1px solid var(--line); padding: .25rem 0; }
.what { display: inline-flex; gap: .5rem; align-items: baseline; max-width: calc(100% - 1.4rem); vertical-align: bottom; }
.what bdi { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; max-width: 60%; }
.first { flex: 1 1 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; width: max-content; min-width: 25%; }
[open] > summary > .what { display: inline; vertical-align: baseline; } [open] > summary > .what bdi { white-space: normal; overflow-wrap: anywhere; }
[open] > summary .first { display: none; }
.output bdi { font-weight: 600; }
.first { color: var(--soft); font: 13px ui-monospace, monospace; }
.more > summary { color: var(--link); padding: .3rem 0; }
#outputs h3 { margin: 1.3rem 0 .3rem; }
footer { color: var(--soft); font-size: .9rem; }
@media (max-width: 40rem) {
  .host { grid-template-columns: 1fr 5rem; } .host svg { grid-row: 2; grid-column: 1 / -1; }
  .axis { display: none; }
}
@media print { pre { max-height: none; } }
</style>`;

/** What stands in it, for the page's policy. */
export const styleText: string = style.toString().slice("<style>".length, -"</style>".length);
