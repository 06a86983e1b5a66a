import type { Target } from "./target.ts";

/**
 * Where an OpenSSH may have its control socket for this target, the likeliest first: `%C` stands for a hash of
 * `%l%h%p%r`, to which versions that have `%j` add the jump host. Empty where no ControlPath is configured.
 */
export function controlPathCandidates(
  { controlPath, controlPathAlternatives }: Pick<Target, "controlPath" | "controlPathAlternatives">,
): string[] {
  return controlPath === undefined ? [] : [controlPath, ...controlPathAlternatives];
}
