import type { Settings } from "./settings.ts";
import type { Target } from "./target.ts";

/** OpenSSH's own order (ssh_config(5), PreferredAuthentications). */
const DEFAULT_ORDER = "gssapi-with-mic,hostbased,publickey,keyboard-interactive,password";

const OURS = ["publickey", "keyboard-interactive", "password"] as const;

/** The methods to try, in order, and why OpenSSH is needed where none is left that we have. */
export function authenticationOf(
  settings: Settings,
): { methods: Target["authenticationMethods"]; needsOpenSsh: string[] } {
  const batch = settings.flag("BatchMode", false);
  const enabled: Readonly<Record<string, boolean>> = {
    "publickey": settings.value("PubkeyAuthentication") !== "no",
    // In batch mode there is nobody to answer.
    "keyboard-interactive": !batch && settings.flag("KbdInteractiveAuthentication", true),
    "password": !batch && settings.flag("PasswordAuthentication", true),
    "gssapi-with-mic": settings.flag("GSSAPIAuthentication", false),
    "hostbased": settings.flag("HostbasedAuthentication", false),
  };
  const preferred = settings.value("PreferredAuthentications");
  const order = (preferred ?? DEFAULT_ORDER).split(",").map((name) => name.trim().toLowerCase())
    .filter((name) => enabled[name]);
  const methods = OURS.filter((name) => order.includes(name)).sort((a, b) =>
    order.indexOf(a) - order.indexOf(b)
  );
  const foreign = order.filter((name) => !OURS.some((ours) => ours === name));
  const needsOpenSsh = methods.length === 0
    ? foreign.map((name) => `${name} is the only way left to log in`)
    : [];
  return { methods, needsOpenSsh };
}

/** What the configuration asks for that Carpool does not do, in words. */
export function warningsOf(settings: Settings): string[] {
  const warnings: string[] = [];
  const noForwards = settings.flag("ClearAllForwardings", false);
  for (const [keyword, { values, where }] of settings) {
    if (keyword.disposition !== "warned") continue;
    if (noForwards && keyword.name.endsWith("Forward")) continue;
    if (keyword.quiet.includes(values[0].toLowerCase())) continue;
    warnings.push(`${where}: ${keyword.name}: ${keyword.loss}`);
  }
  return warnings;
}

/** Keywords that only OpenSSH can honour. */
export function reasonsOfKeywords(settings: Settings): string[] {
  const reasons: string[] = [];
  for (const [keyword, { values, where }] of settings) {
    if (keyword.disposition !== "needs-openssh") continue;
    if (!keyword.quiet.includes(values[0].toLowerCase())) {
      reasons.push(`${where}: ${keyword.name}: ${keyword.loss}`);
    }
  }
  const fdpass = settings.get("ProxyUseFdpass");
  const command = settings.value("ProxyCommand") ?? "none";
  if (fdpass?.values[0] === "yes" && command.toLowerCase() !== "none") {
    reasons.push(`${fdpass.where}: ProxyUseFdpass: a connection that the ProxyCommand hands over`);
  }
  return reasons;
}
