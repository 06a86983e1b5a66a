import { z } from "../deps/zod.ts";
import type { TargetOptions } from "../target/target.ts";

// As in schema.ts, a schema's message is the phrase that says what is allowed.

const text = (allowed: string) =>
  z.string({ error: allowed }).refine((s) => s.trim() !== "" && !s.includes("\0"), { error: allowed });

const flag = z.boolean({ error: "true or false" });

const texts = (allowed: string) =>
  z.union([text(allowed), z.array(text(allowed), { error: allowed })], { error: `${allowed}, or a list` });

const count = (allowed: string, min: number, max: number) =>
  z.int({ error: allowed }).min(min, { error: allowed }).max(max, { error: allowed });

const seconds = count("a whole number of seconds", 0, 86_400 * 365);

const oneOf = <const Names extends readonly [string, ...string[]]>(names: Names) =>
  z.enum(names, { error: names.join(", ") });

const strict = oneOf(["yes", "accept-new", "ask", "no"]);

const algorithms = text("names of algorithms with commas between");

/** Options of ssh_config in camelCase, and how each is checked. */
const optionShape = {
  user: text("a user name"),
  port: count("a port from 1 to 65535", 1, 65535),
  hostName: text("a host name or an address"),
  identityFile: texts("a path"),
  identitiesOnly: flag,
  identityAgent: text("the path of a socket"),
  forwardAgent: z.union([z.boolean(), text("a path")], { error: "true, false, or the path of a socket" }),
  proxyJump: text("a host, or hosts with commas between"),
  proxyCommand: text("a command"),
  strictHostKeyChecking: z.union([z.boolean(), strict], { error: "yes, accept-new, ask, no" }),
  userKnownHostsFile: texts("a path"),
  globalKnownHostsFile: texts("a path"),
  hostKeyAlias: text("a host name"),
  connectTimeout: seconds,
  serverAliveInterval: seconds,
  serverAliveCountMax: count("a whole number from 0", 0, 1_000_000),
  ciphers: algorithms,
  macs: algorithms,
  kexAlgorithms: algorithms,
  hostKeyAlgorithms: algorithms,
  compression: flag,
  addressFamily: oneOf(["any", "inet", "inet6"]),
  bindAddress: text("an address"),
  batchMode: flag,
  setEnv: z.record(
    z.string(),
    z.union([z.string(), z.number(), z.boolean()], { error: "text, a number, true or false" })
      .transform(String),
    { error: "a map of variables" },
  ),
  sendEnv: z.array(text("a name or a pattern"), { error: "a list of names" }),
  controlMaster: oneOf(["auto", "yes", "no", "ask", "autoask"]),
  controlPath: text("a path"),
  controlPersist: z.union([z.string(), z.number(), z.boolean()], {
    error: "a time such as 10m, a number of seconds, true or false",
  }),
  maxSessions: count("a whole number from 1", 1, 1_000_000),
  via: oneOf(["auto", "ssh2", "openssh"]),
  configFile: text("a path"),
  configLines: z.array(text("Keyword=value"), { error: "a list of Keyword=value" }),
} satisfies Record<keyof Omit<TargetOptions, "environment" | "systemConfigFile">, z.ZodType>;

/** Every connection option that a host or a group may have. */
export const optionNames: readonly string[] = Object.keys(optionShape);

const vars = z.record(
  z.string().regex(/^[A-Za-z_]\w*$/, { error: "a name of letters, digits and _, not starting with a digit" }),
  z.unknown(),
  { error: "a map of variables" },
);

const options = z.object(optionShape).partial().shape;

const hostSettings = z.strictObject({ ...options, vars: vars.optional() }, {
  error: "nothing, or a map of connection options and vars",
}).nullable();

const groupName = z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/, {
  error: "a group name of letters, digits, _ . -",
});

const item = text("a host, a group or a range");

const hostsWords = "a list of hosts, groups and ranges, with at least one, or a map of them";

const list = z.union([item, z.array(item).min(1, { error: hostsWords })], { error: hostsWords });

const hosts = z.union([list, z.record(item, hostSettings, { error: hostsWords })], { error: hostsWords });

const groupMap = z.lazy(() => z.record(groupName, group, { error: "a map of group names to groups" }));

/** A group as it is written: hosts alone, or a map. */
export type WrittenGroup =
  | string
  | string[]
  | null
  | WrittenSettings & {
    readonly hosts?: z.output<typeof hosts>;
    readonly children?: string | string[] | { readonly [name: string]: WrittenGroup };
  };

/** Connection options and variables as they are written. */
export type WrittenSettings = Exclude<z.output<typeof hostSettings>, null>;

const groupWords =
  "a list of hosts, groups and ranges, or a map with hosts, children, vars and connection options";

const group: z.ZodType<WrittenGroup> = z.lazy(() =>
  z.union([
    list,
    z.strictObject({
      ...options,
      vars: vars.optional(),
      hosts: hosts.optional(),
      children: z.union([
        text("a group"),
        z.array(text("a group"), { error: "a list of groups, or a map of them" }),
        groupMap,
      ], { error: "a list of groups, or a map of them" }).optional(),
    }),
    z.null(),
  ], { error: groupWords })
);

/** The inventory file. */
export const inventorySchema = z.strictObject({
  groups: groupMap.optional(),
  hosts: z.record(item, hostSettings, { error: "a map of hosts to their settings" }).optional(),
  vars: vars.optional(),
}, { error: "a map with groups, hosts, vars" });
