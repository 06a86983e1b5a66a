// The page as people get it: in a real Chromium, from a file.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { toFileUrl } from "@std/path";
import type { RunEvent } from "../../lib/base/run_event.ts";
import type { Browser, Page } from "../../lib/deps/playwright.ts";
import { htmlReport } from "../../lib/report/html_report.ts";
import { startChromium } from "../support/chromium.ts";
import { madeRun } from "./made_run.ts";

/** What is asked of a page, inside it. */
type InPage = <T>(script: string) => Promise<T>;

interface Opened {
  readonly page: Page;
  readonly ask: InPage;
  /** What it asked the network or the disk for, itself first. */
  readonly requests: string[];
  /** What the browser said about it: errors, refused scripts and styles. */
  readonly messages: string[];
  readonly url: string;
}

interface Look {
  readonly colorScheme?: "light" | "dark";
  readonly width?: number;
  readonly height?: number;
}

async function open(
  browser: Browser,
  events: readonly RunEvent[],
  look: Look = {},
): Promise<Opened & AsyncDisposable> {
  const file = await Deno.makeTempFile({ prefix: "carpool-page-", suffix: ".html" });
  const reporter = htmlReport({ version: "1.2.3", save: (page) => Deno.writeTextFileSync(file, page) });
  for (const event of events) reporter.event(event);
  reporter.close!();
  const { colorScheme = "light", width = 1280, height = 900 } = look;
  const page = await browser.newPage({ colorScheme, viewport: { width, height } });
  const requests: string[] = [];
  const messages: string[] = [];
  page.on("request", (request) => void requests.push(request.url()));
  page.on("console", (message) => void messages.push(message.text()));
  page.on("pageerror", (error) => void messages.push(String(error)));
  page.on("dialog", (dialog) => {
    messages.push(`a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  const url = toFileUrl(file).href;
  await page.goto(url);
  return {
    page,
    requests,
    messages,
    url,
    ask: <T>(script: string) => page.evaluate(script) as Promise<T>,
    async [Symbol.asyncDispose]() {
      await page.close();
      await Deno.remove(file);
    },
  };
}

const attacks = [
  `<script>document.title = "owned"</script>`,
  `<img src=x onerror="document.title='owned'">`,
  `"><svg onload=alert(1)>`,
  `'" autofocus onfocus=alert(1) x="`,
  `</pre></details></style><script>alert(1)</script>`,
  `</title><script>alert(1)</script>`,
  `<style>*{display:none}</style>`,
  `<base href="http://127.0.0.1:9/">`,
  `<meta http-equiv="refresh" content="0;url=http://127.0.0.1:9/">`,
  `<iframe src="javascript:alert(1)"></iframe>`,
  `<!--`,
  `\x1b]8;;javascript:alert(1)\x1b\\click\x1b]8;;\x1b\\`,
  `\u202egpj.exe\u2066`,
  `\x9b31m\x00\x07`,
  `{{7*7}}\${7*7}`,
];

/** A run in which names, titles, messages and outputs are all attacks. */
function hostileRun(): RunEvent[] {
  const all = attacks.join(" ");
  const run = madeRun({
    hosts: 30,
    steps: 4,
    failing: 2,
    unreachable: 2,
    output: () => `${attacks.join("\n")}\n`,
  });
  let text = JSON.stringify(run);
  attacks.forEach((attack, i) => {
    text = text.replaceAll(`"web${String(i + 1).padStart(2, "0")}"`, JSON.stringify(`${attack}${i}`));
  });
  const quoted = JSON.stringify(all).slice(1, -1);
  for (
    const word of [
      "stop the service",
      "Cannot connect",
      '"deploy"',
      "deploy@web29:22",
      ".done exists",
      "refused",
    ]
  ) {
    text = text.replaceAll(word, word.startsWith('"') ? `"${quoted}"` : quoted);
  }
  return JSON.parse(text);
}

Deno.test("the report page in a real Chromium", async (t) => {
  await using chromium = await startChromium();
  const { browser } = chromium;

  await t.step("runs nothing and loads nothing that a host sent, and shows it as text", async () => {
    await using opened = await open(browser, hostileRun());
    const { ask, page, requests, messages, url } = opened;
    for (const summary of await page.locator("summary").all()) await summary.click();
    assertEquals(requests, [url]);
    assertEquals(messages, []);
    assertEquals(
      await ask("document.querySelectorAll('script,img,iframe,base,object,link,form,input').length"),
      0,
    );
    assertEquals(await ask("document.querySelectorAll('style').length"), 1);
    assertEquals(await ask("document.querySelectorAll('meta[http-equiv]').length"), 1);
    const handlers = "[...document.querySelectorAll('*')].flatMap((e) => [...e.attributes])" +
      ".filter((a) => /^on|^style$/.test(a.name) || /javascript:/i.test(a.value) && a.name === 'href').length";
    assertEquals(await ask(handlers), 0);
    assertStringIncludes(await ask("document.querySelector('pre').textContent"), attacks[0]);
    const odd =
      "/[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u202a-\\u202e\\u2066-\\u2069]/.test(document.documentElement.outerHTML)";
    assertEquals(await ask(odd), false);
  });

  await t.step("refuses a script that gets in all the same", async () => {
    await using opened = await open(browser, madeRun({ hosts: 1, steps: 1 }));
    const add =
      "const s = document.createElement('script'); s.textContent = 'window.owned = 1'; document.body.append(s);" +
      "typeof window.owned";
    // Playwright's own evaluation is not bound by the policy; the script it adds is.
    assertEquals(await opened.ask(add), "undefined");
    assert(
      opened.messages.some((message) => /Content Security Policy/.test(message)),
      opened.messages.join(),
    );
  });

  await t.step("shows failures first, then what failed in the timeline", async () => {
    await using opened = await open(browser, madeRun({ hosts: 200, steps: 10, failing: 4, unreachable: 3 }));
    const { ask } = opened;
    assertEquals(await ask("[...document.querySelectorAll('main > section')].map((s) => s.id)"), [
      "failures",
      "ledger",
      "timeline",
      "outputs",
    ]);
    assertEquals(
      await ask("[...document.querySelectorAll('#failures .hosts bdi')].map((e) => e.textContent)"),
      [
        "web[194-197]",
        "web[198-200]",
      ],
    );
    const first =
      "[...document.querySelectorAll('#timeline .row .end')].slice(0, 8).map((e) => e.textContent)";
    const ends = await ask<string[]>(first);
    assertEquals(ends.slice(0, 7), [...Array(4).fill("failed"), ...Array(3).fill("unreachable")]);
    assertEquals(await ask("document.querySelectorAll('#timeline .row').length"), 200);
    assertEquals(opened.messages, []);
  });

  await t.step("draws every bar inside its row, the longest as long as its share of the time", async () => {
    await using opened = await open(browser, madeRun({ hosts: 50, steps: 6, failing: 1, output: () => "" }));
    const outside = await opened.ask<number>(
      `[...document.querySelectorAll(".row svg")].reduce((count, svg) => {
      const box = svg.getBoundingClientRect();
      return count + [...svg.querySelectorAll("rect")].filter((rect) => {
        const bar = rect.getBoundingClientRect();
        return bar.left < box.left - 1 || bar.right > box.right + 1 || bar.width < 1 || bar.bottom > box.bottom + 1;
      }).length;
    }, 0)`,
    );
    assertEquals(outside, 0);
    assert(await opened.ask<number>("document.querySelectorAll('.row rect').length") > 300);
  });

  await t.step("is read with the keyboard alone: a row opens, its output is found and shown", async () => {
    await using opened = await open(
      browser,
      madeRun({ hosts: 40, steps: 3, output: (host) => `from ${host}\n` }),
    );
    const { page, ask } = opened;
    const focused = () =>
      ask<string>("document.activeElement.closest('.row')?.querySelector('.name').textContent ?? ''");
    for (let presses = 0; presses < 60 && await focused() === ""; presses++) await page.keyboard.press("Tab");
    const host = await focused();
    assert(host.startsWith("web"), host);
    const outline = await ask<string>("getComputedStyle(document.activeElement).outlineStyle");
    assertEquals(outline, "solid");
    await page.keyboard.press("Enter");
    assertEquals(await ask("document.activeElement.closest('details').open"), true);
    await page.keyboard.press("Tab");
    assertEquals(await ask("document.activeElement.textContent"), "show");
    await page.keyboard.press("Enter");
    const shown = await ask<string>("document.querySelector(location.hash).textContent");
    assertEquals(shown, `from ${host}`);
    const visible = "document.querySelector(location.hash).checkVisibility() && " +
      "document.querySelector(location.hash).getBoundingClientRect().top < innerHeight";
    assertEquals(await ask(visible), true);
  });

  await t.step(
    "skips to the report for who uses a keyboard, and names its parts for who listens",
    async () => {
      await using opened = await open(browser, madeRun({ hosts: 3, steps: 2 }));
      await opened.page.keyboard.press("Tab");
      assertEquals(await opened.ask("document.activeElement.textContent"), "Skip to the report");
      const unnamed = "[...document.querySelectorAll('svg[role=img],pre,nav,section')]" +
        ".filter((e) => !e.getAttribute('aria-label') && !e.getAttribute('aria-labelledby')).length";
      assertEquals(await opened.ask(unnamed), 0);
      const headings = await opened.ask<string[]>(
        "[...document.querySelectorAll('h1,h2,h3')].map((e) => e.tagName)",
      );
      assertEquals(headings[0], "H1");
      assertEquals(headings.filter((name) => name === "H1").length, 1);
    },
  );

  for (const colorScheme of ["light", "dark"] as const) {
    await t.step(`has enough contrast in ${colorScheme}`, async () => {
      const events = madeRun({ hosts: 20, steps: 5, failing: 2, unreachable: 1, warm: 5 });
      await using opened = await open(browser, events, { colorScheme });
      const ground = await opened.ask<string>("getComputedStyle(document.body).backgroundColor");
      const [red] = ground.match(/\d+/g)!.map(Number);
      assert(colorScheme === "dark" ? red < 60 : red > 200, ground);
      assertEquals(await opened.ask(lowContrast), []);
    });
  }

  for (const width of [320, 390, 768, 1280]) {
    await t.step(`needs no scrolling to the side at ${width} pixels`, async () => {
      const output = () => `${"long".repeat(200)}\n`;
      await using opened = await open(browser, madeRun({ hosts: 40, steps: 5, failing: 1, output }), {
        width,
      });
      await opened.ask("document.querySelectorAll('details').forEach((e) => e.open = true)");
      assertEquals(await opened.ask("document.documentElement.scrollWidth <= innerWidth"), true);
    });
  }

  await t.step("tells in the ledger what was measured, and how it is reckoned", async () => {
    await using opened = await open(browser, madeRun({ hosts: 10, steps: 5, warm: 4 }));
    const text = await opened.ask<string>(
      "document.querySelector('#ledger').textContent.replace(/\\s+/g, ' ')",
    );
    // 50 steps, two of them skipped; 6 connections.
    for (
      const part of ["42 handshakes not made", "294 round trips saved", "48 commands and copies on 10 hosts"]
    ) {
      assertStringIncludes(text, part);
    }
    assertStringIncludes(text, "4 live masters of Carpool’s");
    assertStringIncludes(text, "about 9 round trips");
  });
});

/** Texts whose contrast to what is behind them is below WCAG's 4.5, as `text: ratio`. */
const lowContrast = `(() => {
  const parse = (color) => {
    const [r, g, b, a = 1] = color.match(/[\\d.]+/g).map(Number);
    return { rgb: [r, g, b], a };
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((value) => {
      const share = value / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const { rgb, a } = parse(getComputedStyle(at).backgroundColor);
      if (a === 1) return rgb;
    }
    return [255, 255, 255];
  };
  const low = new Set();
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== "");
    if (!own || !element.checkVisibility() || element.closest("svg")) continue;
    const [a, b] = [luminance(parse(getComputedStyle(element).color).rgb), luminance(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) low.add(element.className + " " + element.tagName + ": " + ratio.toFixed(2));
  }
  return [...low];
})()`;
