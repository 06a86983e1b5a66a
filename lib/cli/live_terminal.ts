import type { Clock, Terminal } from "../report/screen.ts";
import { write } from "./write.ts";

/** Standard output, when it is a terminal. */
export const terminal: Terminal = {
  write: (text) => write(text, "stdout"),
  size() {
    try {
      return Deno.consoleSize();
    } catch {
      // Gone, or one that tells no size: what every terminal has had.
      return { columns: 80, rows: 24 };
    }
  },
  onResize(listener) {
    if (Deno.build.os === "windows") return () => {};
    Deno.addSignalListener("SIGWINCH", listener);
    return () => Deno.removeSignalListener("SIGWINCH", listener);
  },
};

/** The real one. */
export const clock: Clock = {
  now: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};
