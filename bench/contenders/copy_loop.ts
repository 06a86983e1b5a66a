/** Copies or fetches a file or a tree on a host that is warm, again and again, to a new place each time. */
import { connect } from "../../mod.ts";
import { connectOptions, type ContenderOptions, contenderOptions } from "./options.ts";
import { measured, tell } from "./report.ts";

interface CopyOptions extends ContenderOptions {
  readonly direction: "push" | "pull";
  readonly local: string;
  readonly remote: string;
}

const { direction, local, remote, ...options } = contenderOptions<CopyOptions>();
await using host = await connect(options.host, connectOptions(options));
await host.exec("true");
let made = 0;
const once = async () => {
  const number = made++;
  if (direction === "push") await host.copy(local, `${remote}${number}`);
  else await host.fetch(remote, `${local}${number}`);
};
for (let i = 0; i < options.warmUp; i++) await once();
tell(
  await measured(async () => {
    for (let i = 0; i < options.count; i++) await once();
    return { operations: options.count };
  }),
);
