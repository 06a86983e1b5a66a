/** Has the keeper open a master for each of many hosts, ten at a time. Arguments: configuration file, aliases. */
import { openMasterFor } from "../../lib/host/connect.ts";

const [configFile, ...hosts] = Deno.args;
const waiting = hosts[Symbol.iterator]();
const prompter = {
  interactive: false,
  secret: () => Promise.resolve(null),
  line: () => Promise.resolve(null),
  notice: (message: string) => console.error(message),
};
const worker = async () => {
  for (const host of waiting) await openMasterFor(host, { configFile, prompter });
};
await Promise.all(Array.from({ length: 10 }, worker));
