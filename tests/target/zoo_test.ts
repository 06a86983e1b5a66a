/** Configurations of every kind, each compared with what `ssh -G` says of the same file. */
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { TargetError } from "../../lib/base/errors.ts";
import { parseDestination } from "../../lib/target/destination.ts";
import { LocalAccount } from "../../lib/target/local_account.ts";
import { resolveTarget } from "../../lib/target/resolve.ts";
import type { Target } from "../../lib/target/target.ts";
import { openssh } from "../support/openssh.ts";
import { run } from "../support/run.ts";
import { TempHome } from "../support/temp_home.ts";

const zoo = fromFileUrl(new URL("./zoo/", import.meta.url));
const animals = [...Deno.readDirSync(zoo)].map(({ name }) => name).filter((name) => name.endsWith(".conf"))
  .sort();

/** For ssh, `~` is the home of the account, whatever HOME says: it gets an account with our name and another home. */
const USER = (await LocalAccount.load(Deno.env.toObject())).userName;

Deno.test("the zoo is large enough to mean something", () => assert(animals.length >= 25));

for (const animal of animals) {
  Deno.test(`${animal} means to us what it means to ssh -G`, async () => {
    await using home = await TempHome.make();
    const ssh = await keeper(home);
    const file = join(zoo, animal);
    const [, destinations] = /^# destinations: (.+?)\r?$/m.exec(await Deno.readTextFile(file))!;
    for (const destination of destinations.split(" ")) {
      const theirs = await ssh.look(file, destination);
      const ours = await resolveTarget(destination, { configFile: file, environment: ssh.environment })
        .catch((error: unknown) => error);
      const label = `${animal} for ${destination}`;
      if (theirs === undefined) {
        assertInstanceOf(ours, TargetError, `${label}: ssh refuses it`);
        continue;
      }
      if (ours instanceof Error) throw ours;
      assertEquals(asPrinted(ours as Target, theirs), pick(theirs, ours as Target, home.path), label);
    }
  });
}

/** ssh with an account of our own making. */
async function keeper(home: TempHome) {
  const tools = await openssh();
  await copyTree(join(zoo, "dot_ssh"), join(home.path, ".ssh"));
  const uid = Deno.uid();
  const passwd = await home.write("passwd", `${USER}:x:${uid}:${Deno.gid()}::${home.path}:/bin/sh\n`);
  const group = await home.write("group", `${USER}:x:${Deno.gid()}:\n`);
  const environment: Record<string, string> = {
    ...home.env,
    USER,
    SHELL: "/bin/sh",
    SSH_AUTH_SOCK: "/run/zoo/auth",
    ZOO_AGENT: "/run/zoo/agent",
    ZOO_DIR: "/run/zoo",
    ZOO_A: "1",
    ZOO_B: "2",
    ZOO_SECRET: "3",
    LC_TIME: "C",
  };
  const account = {
    ...tools.env,
    LD_PRELOAD: tools.nssWrapper,
    NSS_WRAPPER_PASSWD: passwd,
    NSS_WRAPPER_GROUP: group,
  };
  return {
    environment,
    /** What `ssh -G` prints, by keyword; undefined where it refuses. */
    async look(file: string, destination: string): Promise<Map<string, string[]> | undefined> {
      const options = { env: { ...environment, ...account }, clearEnv: true };
      const { success, stdout } = await run(tools.ssh, ["-G", "-F", file, destination], options);
      if (!success) return undefined;
      const printed = stdout.trim().split("\n").map((line) => /^(\S+) ?(.*)$/.exec(line)!);
      const byKeyword = Map.groupBy(printed, ([, keyword]) => keyword);
      return new Map([...byKeyword].map(([keyword, lines]) => [keyword, lines.map(([, , value]) => value)]));
    },
  };
}

async function copyTree(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true, mode: 0o700 });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyTree(join(from, name), join(to, name));
    else await Deno.writeTextFile(join(to, name), await Deno.readTextFile(join(from, name)), { mode: 0o600 });
  }
}

/** What is compared, from ssh's words. */
function pick(theirs: Map<string, string[]>, ours: Target, home: string): Record<string, unknown> {
  const first = (keyword: string) => theirs.get(keyword)?.[0];
  const seconds = (keyword: string) => Number(first(keyword)) * 1000;
  // ssh -G leaves these as they were written.
  const expand = (value: string) =>
    value.replace(/^~(?=\/)/, home).replace(
      /%([dhnpr%])/g,
      (_, token) =>
        ({ d: home, h: ours.host, n: ours.destination.alias, p: String(ours.port), r: ours.user, "%": "%" })[
          token as string
        ]!,
    ).replaceAll("${ZOO_DIR}", "/run/zoo");
  const identities = theirs.get("identityfile")!.filter((value) => value !== "none").map(expand);
  const [bytes, interval] = first("rekeylimit")!.split(" ").map(Number);
  return {
    hostname: first("hostname"),
    user: first("user"),
    port: Number(first("port")),
    addressfamily: first("addressfamily"),
    bindaddress: first("bindaddress"),
    connecttimeout: first("connecttimeout") === "none" ? undefined : seconds("connecttimeout"),
    connectionattempts: Number(first("connectionattempts")),
    tcpkeepalive: first("tcpkeepalive") === "yes",
    proxyjump: first("proxyjump") ?? "",
    proxycommand: theirs.has("proxyjump")
      ? undefined
      : first("proxycommand") && expand(first("proxycommand")!),
    identityfile: identities,
    certificatefile: (theirs.get("certificatefile") ?? []).map(expand),
    identitiesonly: first("identitiesonly") === "yes",
    identityagent: agentOf(first("identityagent")),
    forwardagent: first("forwardagent") === "yes",
    numberofpasswordprompts: Number(first("numberofpasswordprompts")),
    batchmode: first("batchmode") === "yes",
    methods: methodsOf(first),
    stricthostkeychecking: ({ true: "yes", false: "no" })[first("stricthostkeychecking")!] ??
      first("stricthostkeychecking"),
    hashknownhosts: first("hashknownhosts") === "yes",
    hostkeyalias: first("hostkeyalias"),
    userknownhostsfile: first("userknownhostsfile") === "none" ? "" : first("userknownhostsfile"),
    globalknownhostsfile: first("globalknownhostsfile") === "none" ? "" : first("globalknownhostsfile"),
    revokedhostkeys: (first("revokedhostkeys") ?? "").split(" ").filter((path) => path !== "").map(expand),
    nohostauthenticationforlocalhost: first("nohostauthenticationforlocalhost") === "yes",
    requiredrsasize: Number(first("requiredrsasize") ?? "1024"),
    compression: first("compression") === "yes",
    rekeybytes: bytes || undefined,
    rekeyms: interval * 1000 || undefined,
    serveraliveinterval: seconds("serveraliveinterval"),
    serveralivecountmax: Number(first("serveralivecountmax")),
    requesttty: ({ true: "yes", false: "no" })[first("requesttty")!] ?? first("requesttty"),
    controlmaster: ({ true: "yes", false: "no" })[first("controlmaster")!] ?? first("controlmaster"),
    controlpath: first("controlpath"),
    controlpersist: persistOf(first("controlpersist")!),
    env: environmentOf(theirs, ours),
  };
}

/** The same of ours. Where ssh prints its own default and ours differs on purpose, ssh's stands in. */
function asPrinted(ours: Target, theirs: Map<string, string[]>): Record<string, unknown> {
  const first = (keyword: string) => theirs.get(keyword)?.[0];
  const explicit = ours.identityFiles.every(({ explicit }) => explicit);
  const home = ours.environment.HOME;
  return {
    hostname: ours.host,
    user: ours.user,
    port: ours.port,
    addressfamily: ours.addressFamily,
    bindaddress: ours.bindAddress,
    connecttimeout: ours.connectTimeoutMs,
    connectionattempts: ours.connectionAttempts,
    tcpkeepalive: ours.tcpKeepAlive,
    proxyjump: chainOf(ours),
    proxycommand: ours.proxyCommand,
    // Which default files there are depends on the version.
    identityfile: explicit
      ? ours.identityFiles.map(({ path }) => path)
      : theirs.get("identityfile")!.map((value) => value.replace(/^~(?=\/)/, home)),
    certificatefile: ours.certificateFiles,
    identitiesonly: ours.identitiesOnly,
    identityagent: ours.identityAgent,
    forwardagent: ours.forwardAgent !== false,
    numberofpasswordprompts: ours.numberOfPasswordPrompts,
    batchmode: ours.batchMode,
    methods: ours.authenticationMethods,
    stricthostkeychecking: ours.strictHostKeyChecking,
    hashknownhosts: ours.hashKnownHosts,
    hostkeyalias: ours.hostKeyAlias,
    userknownhostsfile: ours.userKnownHostsFiles.join(" "),
    globalknownhostsfile: ours.globalKnownHostsFiles.join(" "),
    revokedhostkeys: ours.revokedHostKeysFiles,
    nohostauthenticationforlocalhost: ours.noHostAuthenticationForLocalhost,
    requiredrsasize: ours.requiredRsaBits,
    compression: ours.compression,
    rekeybytes: ours.rekeyLimitBytes,
    rekeyms: ours.rekeyLimitMs,
    serveraliveinterval: ours.serverAliveIntervalMs,
    serveralivecountmax: ours.serverAliveCountMax,
    requesttty: ours.requestTty,
    // Unset, ssh is no master and Carpool may be.
    controlmaster: first("controlmaster") === "false" ? "no" : ours.controlMaster,
    // Versions with %j put it into %C.
    controlpath: ours.controlPathAlternatives.find((path) => path === first("controlpath")) ??
      ours.controlPath,
    controlpersist: ours.controlPersistMs ?? 0,
    env: ours.env,
  };
}

/** `user@host:port,…` of the hops that the target itself names, as ssh -G writes them. */
function chainOf(target: Target): string {
  return target.jumps.map(({ destination }) => {
    const { alias, user, port } = parseDestination(destination.text);
    return `${user === undefined ? "" : `${user}@`}${alias}${port === undefined ? "" : `:${port}`}`;
  }).join(",");
}

function agentOf(printed: string | undefined): string | undefined {
  const known: Record<string, string | undefined> = {
    none: undefined,
    SSH_AUTH_SOCK: "/run/zoo/auth",
    $ZOO_AGENT: "/run/zoo/agent",
  };
  if (printed === undefined) return "/run/zoo/auth";
  return printed in known ? known[printed] : printed;
}

function persistOf(printed: string): number {
  // `yes`, or 0 seconds: for ever.
  if (printed === "yes" || printed === "true" || printed === "0") return Infinity;
  return printed === "no" || printed === "false" ? 0 : Number(printed) * 1000;
}

function methodsOf(first: (keyword: string) => string | undefined): string[] {
  const order = first("preferredauthentications") ?? "publickey,keyboard-interactive,password";
  const batch = first("batchmode") === "yes";
  const enabled: Record<string, boolean> = {
    "publickey": !/^(no|false)$/.test(first("pubkeyauthentication")!),
    "keyboard-interactive": !batch && first("kbdinteractiveauthentication") === "yes",
    "password": !batch && first("passwordauthentication") === "yes",
  };
  return order.split(",").filter((name) => enabled[name]);
}

function environmentOf(theirs: Map<string, string[]>, ours: Target): Record<string, string> {
  const env: Record<string, string> = {};
  const patterns = (theirs.get("sendenv") ?? []).map((pattern) => {
    return new RegExp(`^${pattern.replaceAll("*", ".*").replaceAll("?", ".")}$`);
  });
  for (const [name, value] of Object.entries(ours.environment)) {
    if (patterns.some((pattern) => pattern.test(name))) env[name] = value;
  }
  // OpenSSH 9.2 prints a name that was given twice twice; the first counts.
  for (const word of (theirs.get("setenv") ?? []).toReversed()) {
    env[word.slice(0, word.indexOf("="))] = word.slice(word.indexOf("=") + 1);
  }
  return env;
}
