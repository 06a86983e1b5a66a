/** Many commands at once on one host; prints how many went well. */
import { connect } from "../../mod.ts";
import { connectOptions, type ContenderOptions, contenderOptions } from "./options.ts";
import { measured, tell } from "./report.ts";

interface ParallelOptions extends ContenderOptions {
  readonly command: string;
}

const options = contenderOptions<ParallelOptions>();
await using host = await connect(options.host, connectOptions(options));
tell(
  await measured(async () => {
    const ends = await Promise.allSettled(
      Array.from({ length: options.count }, () => host.exec(options.command)),
    );
    const ok = ends.filter((end) => end.status === "fulfilled" && end.value.stdout === "ok\n").length;
    return { operations: options.count, more: { ok, failed: options.count - ok } };
  }),
);
