/** Connects, runs `true` and leaves, again and again: cold with a private connection, an attach with a shared one. */
import { connect } from "../../mod.ts";
import { quantile } from "../method/statistics.ts";
import { connectOptions, contenderOptions } from "./options.ts";
import { broken, measured, tell } from "./report.ts";

const options = contenderOptions();
const samples: number[] = [];
const once = async () => {
  const startedAt = performance.now();
  await using host = await connect(options.host, connectOptions(options));
  const { code } = await host.exec("true");
  if (code !== 0) throw broken(`exit status ${code}`);
  samples.push(performance.now() - startedAt);
};
for (let i = 0; i < options.warmUp; i++) await once();
const firstMs = samples[0] ?? 0;
samples.length = 0;
tell(
  await measured(async () => {
    for (let i = 0; i < options.count; i++) await once();
    return {
      operations: options.count,
      more: { firstMs: firstMs || samples[0], p50Ms: quantile(samples, 0.5), p99Ms: quantile(samples, 0.99) },
    };
  }),
);
