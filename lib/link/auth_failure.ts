import { LinkError } from "../base/errors.ts";
import { printable } from "../target/printable.ts";
import type { Target } from "../target/target.ts";

/** What happened while logging in. */
export interface AuthCourse {
  readonly cause: Error;
  /** What was tried, or why it was not, in order. */
  readonly tried: readonly string[];
  /** Methods that the server took, though not alone. */
  readonly accepted: readonly string[];
  /** Methods that the server says can go on. */
  readonly allowed: readonly string[];
  readonly canAsk: boolean;
}

/** Methods that only OpenSSH has. */
const FOREIGN = ["gssapi-with-mic", "gssapi-keyex", "hostbased"];

/** Names what was tried, what the server allows, and what to do. */
export function authFailure(target: Target, course: AuthCourse): LinkError {
  const { cause, tried, accepted, allowed } = course;
  const tooMany = /too many authentication failures/i.test(cause.message);
  const ended = /^All configured authentication methods failed$/.test(cause.message)
    ? undefined
    : printable(cause.message);
  const why = [
    ended,
    `tried ${tried.length > 0 ? tried.join(", ") : "nothing: there is no key, and nobody to ask"}`,
    accepted.length > 0 ? `the server took ${accepted.join(", ")} and wants more` : undefined,
    allowed.length > 0 ? `the server allows ${allowed.map(printable).join(", ")}` : undefined,
  ].filter((part) => part !== undefined).join("; ");
  return new LinkError("auth-failed", {
    what: "Cannot log in",
    where: target.where,
    why,
    fix: tooMany ? "set IdentitiesOnly yes and name the right IdentityFile" : advice(target, course),
    cause,
    outcome: "not-started",
  });
}

function advice(target: Target, { allowed, canAsk, tried }: AuthCourse): string {
  if (target.needsOpenSsh.length > 0) {
    return `connect with via: "openssh" (the installed ssh), which has what this needs: ${
      target.needsOpenSsh.join("; ")
    }`;
  }
  const known = allowed.filter((method) => target.authenticationMethods.some((ours) => ours === method));
  const asks = allowed.some((method) => method === "password" || method === "keyboard-interactive");
  if (allowed.length > 0 && known.length === 0) {
    const foreign = allowed.filter((method) => FOREIGN.includes(method));
    if (foreign.length === allowed.length) {
      return `connect with via: "openssh", which has ${foreign.join(" and ")}`;
    }
    return `the configuration leaves out ${allowed.join(" and ")}: see PreferredAuthentications`;
  }
  if (target.batchMode && asks) return "leave out BatchMode, so that a password can be asked for";
  if (tried.some((words) => /encrypted and there is nobody/.test(words)) || (asks && !canAsk)) {
    return "load the key into an agent (ssh-add), or connect from a terminal or with SSH_ASKPASS";
  }
  if (allowed.includes("publickey")) {
    return `check the user name, and that one of the keys is in ~/.ssh/authorized_keys of ${target.user} there`;
  }
  return "check the user name and the password";
}
