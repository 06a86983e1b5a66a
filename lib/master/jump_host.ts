import type { Target } from "../target/target.ts";

/**
 * The host through which a target is reached, as a target of its own: with it, its master is found or made like any
 * other, so that everything behind one jump host shares one connection to it. Undefined where there is none, or where
 * its connection is not to be shared (`ControlMaster no`, `ControlPath none`).
 */
export function sharedJumpHost(target: Target): Target | undefined {
  const hop = target.jumps.at(-1);
  if (hop === undefined || hop.controlMaster === "no" || hop.controlPathIsNone) return undefined;
  // Only the first hop may have jumps of its own; the others are reached through those before them.
  return target.jumps.length === 1 ? hop : { ...hop, jumps: target.jumps.slice(0, -1) };
}
