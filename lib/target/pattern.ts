/**
 * Patterns of ssh_config(5) and of known_hosts: `*` any characters, `?` any one. Linear in text times pattern: patterns
 * come from files, and a regular expression made of `*a*a*a*…` could run for ever.
 */
export function matchesPattern(text: string, pattern: string): boolean {
  let [t, p, star, mark] = [0, 0, -1, 0];
  while (t < text.length) {
    if (p < pattern.length && pattern[p] === "*") {
      star = p++;
      mark = t;
    } else if (p < pattern.length && (pattern[p] === "?" || pattern[p] === text[t])) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++mark;
    } else return false;
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}

/**
 * A comma-separated list of patterns, `!` before one negates it: "no" when a negated one matches, whatever the others
 * say; "yes" when a plain one does; undefined when none does.
 */
export function matchPatternList(text: string, list: string): "yes" | "no" | undefined {
  let found: "yes" | undefined;
  for (const entry of list.split(",")) {
    const negated = entry.startsWith("!");
    if (!matchesPattern(text, negated ? entry.slice(1) : entry)) continue;
    if (negated) return "no";
    found = "yes";
  }
  return found;
}

/** {@linkcode matchPatternList} for host names, where case does not count. */
export function matchHostList(host: string, list: string): "yes" | "no" | undefined {
  return matchPatternList(host.toLowerCase(), list.toLowerCase());
}
