/** A real Chromium for pages: the installed one, or one unpacked from the distribution's packages. */
import { join } from "@std/path";
import fs from "node:fs";
import type { Browser } from "../../lib/deps/playwright.ts";
import { unpackPackages } from "./debian_packages.ts";
import { installed, type Tool } from "./tools.ts";

/** The browser itself; Debian's `chromium` is a script around it that writes into the home directory. */
export async function chromiumProgram(): Promise<Tool> {
  const path = await installed("chromium");
  if (path !== undefined) return { path, env: {}, root: undefined };
  const packages = ["chromium", "chromium-common"];
  const { root, libraryDirs } = await unpackPackages(packages, "no chromium is installed");
  return {
    path: join(root, "usr/lib/chromium/chromium"),
    env: libraryDirs.length > 0 ? { LD_LIBRARY_PATH: libraryDirs.join(":") } : {},
    root,
  };
}

/** A browser with a new, empty profile; its processes are gone and its profile is removed when it is disposed. */
export async function startChromium(): Promise<AsyncDisposable & { readonly browser: Browser }> {
  const { path, env } = await chromiumProgram();
  const profile = await Deno.makeTempDir({ prefix: "carpool-chromium-" });
  const process = new Deno.Command(path, {
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      `--user-data-dir=${profile}`,
      "--remote-debugging-address=127.0.0.1",
      "--remote-debugging-port=0",
      "about:blank",
    ],
    env: { ...env, HOME: profile },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const said = new SaidLines(process.stderr);
  const end = async () => {
    try {
      process.kill("SIGTERM");
    } catch {
      // It has ended already.
    }
    await process.status;
    // Its helpers hold the same standard error, and write into the profile until they are gone.
    await said.ended;
    await Deno.remove(profile, { recursive: true });
  };
  try {
    const [, address] = await said.find(/listening on (ws:\S+)/);
    // Whoever only provides the program needs none of the permissions that this asks for.
    hideProc();
    const { chromium } = await import("../../lib/deps/playwright.ts");
    const browser = await chromium.connectOverCDP(address);
    return {
      browser,
      async [Symbol.asyncDispose]() {
        await browser.close();
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}

/** What a process says, read to its end whether or not anybody looks for something in it. */
class SaidLines {
  readonly ended: Promise<void>;
  #text = "";
  #done = false;
  #heard = Promise.withResolvers<void>();

  constructor(stream: ReadableStream<Uint8Array>) {
    this.ended = this.#read(stream);
  }

  async find(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const heard = this.#heard.promise;
      const match = pattern.exec(this.#text);
      if (match) return match;
      if (this.#done) throw new Deno.errors.UnexpectedEof(`It never said ${pattern}: ${this.#text}`);
      await heard;
    }
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      // Enough for an address, and for what went wrong.
      this.#text = (this.#text + text).slice(-64 * 1024);
      this.#heard.resolve();
      this.#heard = Promise.withResolvers();
    }
    this.#done = true;
    this.#heard.resolve();
  }
}

/** The driver looks into /proc for another operating system around this one, which Deno allows only to who may do all. */
function hideProc(): void {
  const { existsSync } = fs;
  fs.existsSync = (path) => !String(path).startsWith("/proc/") && existsSync(path);
}
