/**
 * Why the operating system, or Deno, refused something, in plain words: `permission denied`, `no such file or directory`.
 * Deno's own text names the call and the path as well, which a message in four parts has said already.
 */
export function systemWhy(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  if (cause instanceof Deno.errors.NotCapable) {
    const flag = /--allow-[a-z]+/.exec(cause.message)?.[0];
    return flag === undefined ? "Deno does not allow it" : `Deno does not allow it without ${flag}`;
  }
  const said = /^(?:Failed to spawn '.*': )?(.*?) \(os error \d+\)/s.exec(cause.message)?.[1];
  return said === undefined ? cause.message : said.charAt(0).toLowerCase() + said.slice(1);
}
