/** Commands in a row from nothing, on one connection or on one each; says when each had ended since the start. */
import { connect } from "../../mod.ts";
import { connectOptions, type ContenderOptions, contenderOptions } from "./options.ts";
import { broken, measured, tell } from "./report.ts";

interface SpeedUpOptions extends ContenderOptions {
  readonly perCommand: boolean;
  /** The counts to tell. */
  readonly counts: readonly number[];
}

const options = contenderOptions<SpeedUpOptions>();
const given = connectOptions(options);
type Host = Awaited<ReturnType<typeof connect>>;
const exec = async (host: Host) => {
  const { code } = await host.exec("true");
  if (code !== 0) throw broken(`exit status ${code}`);
};
async function ends(count: number): Promise<number[]> {
  const startedAt = performance.now();
  const found: number[] = [];
  if (options.perCommand) {
    for (let at = 0; at < count; at++) {
      await using host = await connect(options.host, given);
      await exec(host);
      found.push(performance.now() - startedAt);
    }
    return found;
  }
  await using host = await connect(options.host, given);
  for (let at = 0; at < count; at++) {
    await exec(host);
    found.push(performance.now() - startedAt);
  }
  return found;
}

await ends(1); // what connecting loads
tell(
  await measured(async () => {
    const found = await ends(options.count);
    const more = Object.fromEntries(options.counts.map((count) => [`at${count}`, found[count - 1]]));
    return { operations: options.count, more };
  }),
);
