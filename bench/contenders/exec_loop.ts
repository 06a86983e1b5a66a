/** Connects once, then runs `true` again and again, each after the end of the one before. */
import { connect } from "../../mod.ts";
import { quantile } from "../method/statistics.ts";
import { connectOptions, contenderOptions } from "./options.ts";
import { broken, measured, tell } from "./report.ts";

const options = contenderOptions();
await using host = await connect(options.host, connectOptions(options));
const samples: number[] = [];
const once = async () => {
  const startedAt = performance.now();
  const { code } = await host.exec("true");
  if (code !== 0) throw broken(`exit status ${code}`);
  samples.push(performance.now() - startedAt);
};
for (let i = 0; i < options.warmUp; i++) await once();
samples.length = 0;
tell(
  await measured(async () => {
    for (let i = 0; i < options.count; i++) await once();
    return {
      operations: options.count,
      more: { p50Ms: quantile(samples, 0.5), p99Ms: quantile(samples, 0.99) },
    };
  }),
);
