import { nearestName } from "../base/nearest_name.ts";
import type { Directive } from "./config_values.ts";
import { localAddresses, matchesCidrList } from "./local_network.ts";
import { matchHostList, matchPatternList } from "./pattern.ts";
import { expandTokens, type TokenValues } from "./tokens.ts";

/** The OpenSSH whose ssh_config(5) Carpool follows; what `Match version` is compared with. */
export const FOLLOWED_VERSION = "OpenSSH_10.2p1";

/** What the criteria of a Match line are compared with, as known so far. */
export interface MatchCircumstances {
  /** The final pass, after canonicalisation. */
  readonly finalPass: boolean;
  /** As typed. */
  readonly originalHost: string;
  localUser(): string;
  /** After HostName. */
  host(): string;
  /** The remote user. */
  user(): string;
  tag(): string;
  tokens(): Promise<TokenValues>;
  /** Runs a command by the user's shell; true when it succeeds. */
  runs(command: string, where: string): Promise<boolean>;
  /** A `Match final` was met: another pass is wanted. */
  wantFinalPass(): void;
  /** Says something once. */
  warn(message: string): void;
}

const CRITERIA = [
  ...["all", "canonical", "final", "host", "originalhost", "user", "localuser", "localnetwork", "version"],
  ...["tagged", "command", "sessiontype", "exec"],
];

/** Whether all criteria of a Match line hold. */
export async function matches(
  directive: Directive,
  where: string,
  circumstances: MatchCircumstances,
): Promise<boolean> {
  const { fail } = directive;
  const words = [...directive.args];
  if (words.length === 0) fail("Match has no criteria");
  let result = true;
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    const negated = word.startsWith("!");
    // `host=pattern` in one word, or `host = pattern` as older versions took it.
    const [, name, joined] = /^!?([^=]*)(?:=(.*))?$/s.exec(word)!;
    const criterion = name.toLowerCase();
    if (!CRITERIA.includes(criterion)) {
      const near = nearestName(criterion, CRITERIA);
      fail(
        `unknown Match criterion ${JSON.stringify(name.slice(0, 60))}`,
        `${near ? `did you mean ${near}? ` : ""}allowed: ${CRITERIA.join(", ")}`,
      );
    }
    if (criterion === "all") {
      if (words.length > 0) fail("all cannot be combined with other criteria");
      return result && !negated;
    }
    let holds: boolean;
    if (criterion === "canonical" || criterion === "final") {
      if (criterion === "final" && !negated) circumstances.wantFinalPass();
      holds = circumstances.finalPass;
    } else {
      if (joined === undefined && words[0] === "=") words.shift();
      const mayBeEmpty = criterion === "tagged" || criterion === "command";
      const wanted = joined === "" && !mayBeEmpty ? words.shift() : joined ?? words.shift();
      if (wanted === undefined || (wanted === "" && !mayBeEmpty)) {
        return fail(`Match ${criterion} has no argument`);
      }
      // A command is run only where everything before it holds.
      if (criterion === "exec" && !result) continue;
      holds = await holdsFor(criterion, wanted, { directive, where, circumstances });
    }
    if (holds === negated) result = false;
  }
  return result;
}

async function holdsFor(
  criterion: string,
  wanted: string,
  { directive: { fail }, where, circumstances }: {
    directive: Directive;
    where: string;
    circumstances: MatchCircumstances;
  },
): Promise<boolean> {
  switch (criterion) {
    case "host":
      return matchHostList(circumstances.host(), wanted) === "yes";
    case "originalhost":
      return matchHostList(circumstances.originalHost, wanted) === "yes";
    case "user":
      return matchPatternList(circumstances.user(), wanted) === "yes";
    case "localuser":
      return matchPatternList(circumstances.localUser(), wanted) === "yes";
    case "localnetwork":
      return matchesCidrList(localAddresses(fail), wanted, fail);
    case "version":
      return matchPatternList(FOLLOWED_VERSION, wanted) === "yes";
    case "tagged":
      return matchOrBothEmpty(circumstances.tag(), wanted);
    case "command":
      circumstances.warn(`${where}: Match command: a shared connection carries many commands; taken as none`);
      return matchOrBothEmpty("", wanted);
    case "sessiontype":
      circumstances.warn(
        `${where}: Match sessiontype: a shared connection carries many sessions; taken as exec`,
      );
      return matchPatternList("exec", wanted) === "yes";
    default: {
      const command = expandTokens(wanted, { tokens: await circumstances.tokens(), fail });
      return await circumstances.runs(command, where);
    }
  }
}

function matchOrBothEmpty(value: string, wanted: string): boolean {
  return value === "" ? wanted === "" : matchPatternList(value, wanted) === "yes";
}
