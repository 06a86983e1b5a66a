/** Many execs on one connection: what the process holds at the marks, and what is left open at the end. */
import { connect } from "../../mod.ts";
import { connectOptions, type ContenderOptions, contenderOptions } from "./options.ts";
import { broken, measured, tell } from "./report.ts";

interface SoakOptions extends ContenderOptions {
  /** Exec counts at which memory is read; the last one is the end. */
  readonly marks: readonly number[];
}

const options = contenderOptions<SoakOptions>();
await using host = await connect(options.host, connectOptions(options));
const more: Record<string, number> = {};
tell(
  await measured(async () => {
    let done = 0;
    for (const mark of options.marks) {
      for (; done < mark; done++) {
        const { code } = await host.exec("true");
        if (code !== 0) throw broken(`exit status ${code} in exec ${done + 1}`);
      }
      more[`rssMB@${mark}`] = Deno.memoryUsage().rss / 1024 / 1024;
      // With --expose-gc: what is still reachable, without what merely has not been collected yet.
      (globalThis as { gc?: () => void }).gc?.();
      more[`heapMB@${mark}`] = Deno.memoryUsage().heapUsed / 1024 / 1024;
    }
    more.channelsLeftOpen = host.load.channels;
    return { operations: done, more };
  }),
);
