/** Runs a job on a host again and again; every step of it must end well. */
import { connect, loadJob, runJob } from "../../mod.ts";
import { connectOptions, type ContenderOptions, contenderOptions } from "./options.ts";
import { broken, measured, tell } from "./report.ts";

interface JobOptions extends ContenderOptions {
  /** Path of the task file. */
  readonly task: string;
  readonly steps: number;
}

const options = contenderOptions<JobOptions>();
const given = connectOptions(options);
const job = await loadJob(options.task);
// The connection is there before the clock starts, whoever holds it.
await using host = await connect(options.host, given);
await host.exec("true");
const once = async () => {
  const run = runJob(job, { hosts: options.host, ...given });
  let ended = 0;
  for await (const event of run) {
    if (event.type === "step-end" && event.status === "ok") ended++;
  }
  if (ended !== options.steps) throw broken(`${ended} of ${options.steps} steps ended well`);
};
for (let i = 0; i < options.warmUp; i++) await once();
tell(
  await measured(async () => {
    for (let i = 0; i < options.count; i++) await once();
    return { operations: options.count };
  }),
);
