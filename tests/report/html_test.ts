import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { fc } from "fast-check";
import type { RunEvent } from "../../lib/base/run_event.ts";
import { Html, html } from "../../lib/report/html.ts";
import { htmlReport } from "../../lib/report/html_report.ts";
import { madeRun } from "./made_run.ts";

function pageOf(events: readonly RunEvent[]): string {
  let page = "";
  const reporter = htmlReport({ version: "1.2.3", save: (text) => void (page += text) });
  for (const event of events) reporter.event(event);
  reporter.close!();
  reporter.close!();
  return page;
}

Deno.test("html escapes every value, and takes markup only from itself", () => {
  assertEquals(
    `${html`<p title="${`"'`}">${"<script>&"}${["a", html`<br>`, 3]}</p>`}`,
    '<p title="&quot;&#39;">&lt;script&gt;&amp;a<br>3</p>',
  );
  assertEquals(`${html`${"a\x1b[31mb\u202ec\ud800"}`}`, "abc\ufffd");
  assertThrows(() => new Html(Symbol() as never, "<script>"), TypeError);
});

Deno.test("html of any text has no tag, quote or control character of its own", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    // deno-lint-ignore no-control-regex -- what must not be left
    assert(!/[<>"'\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/.test(`${html`${text}`}`));
  }));
});

Deno.test("the page of a run holds no address, no script and no style but its own", () => {
  const page = pageOf(madeRun({ hosts: 20, steps: 5, failing: 2, unreachable: 1 }));
  assertEquals(
    /<script|\son\w+=|style=|src=|https?:|url\(|@import|<link|<img|<iframe/i.exec(page)?.[0],
    undefined,
  );
  assertMatch(
    page,
    /<meta http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;; style-src &#39;sha256-/,
  );
  assertEquals(page.match(/<style>/g)?.length, 1);
});

Deno.test("the page of a run that broke off is whole and says so", () => {
  const events = madeRun({ hosts: 3, steps: 3 });
  const page = pageOf(events.slice(0, events.findIndex(({ type }) => type === "step-output") + 1));
  assertMatch(page, /broken off/);
  assertMatch(page, /end not told/);
  assertMatch(page, /<\/html>\n$/);
});

Deno.test("the page of 1,000 hosts with long outputs stays within its bounds", () => {
  const output = (host: string, step: string) => `${host} ${step}\n${"a line of output\n".repeat(600)}`;
  const page = pageOf(madeRun({ hosts: 1000, steps: 5, output }));
  assert(page.length < 16_000_000, `${page.length}`);
  assertMatch(page, /\[\d+ lines left out here\]/);
});
