/** Writes text whole, before returning: what a program says must be out before it exits. */
export function write(text: string, stream: "stdout" | "stderr"): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += Deno[stream].writeSync(bytes.subarray(at));
}
