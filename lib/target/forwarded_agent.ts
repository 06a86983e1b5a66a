import type { Target } from "./target.ts";

/** The socket of the agent that a target forwards; undefined: none, or there is no agent to forward. */
export function forwardedAgentOf(
  { forwardAgent, identityAgent }: Pick<Target, "forwardAgent" | "identityAgent">,
): string | undefined {
  if (typeof forwardAgent === "string") return forwardAgent;
  return forwardAgent ? identityAgent : undefined;
}
