/**
 * A message without the host it is about, so that two hundred hosts that say the same are seen to: each message names its
 * own. What is shown for one host alone is the message itself.
 */
export function withoutHost(text: string, host: string): string {
  // deploy@web1:2222 is told as web1 too. A name of one or two letters would be found inside words.
  const bare = /^(?:[^@]*@)?(.+?)(?::\d+)?$/.exec(host)?.[1] ?? host;
  const named = host.length > 2 ? text.replaceAll(host, "…") : text;
  return bare.length > 2 ? named.replaceAll(bare, "…") : named;
}
