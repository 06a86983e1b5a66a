import type { Clock, Terminal } from "../report/screen.ts";
import { write } from "./write.ts";

/** Standard output, when it is a terminal. */
export const terminal: Terminal = {
  write: (text) => write(text, "stdout"),
  size() {
    try {
      const { columns, rows } = Deno.consoleSize();
      // A pseudo-terminal that nobody gave a size says 0.
      if (columns > 0 && rows > 0) return { columns, rows };
    } catch {
      // It has gone.
    }
    return { columns: 80, rows: 24 };
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
