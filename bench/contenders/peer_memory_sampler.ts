/**
 * Watches the processes whose environment or working directory lies in a folder (its argument) until its input ends; then
 * prints the most that they held together. It says `looking` when it has begun.
 */
const [home] = Deno.args;
const INTERVAL_MS = 25;
/** Looking may cost this share of a core, no more: with a thousand processes it looks less often. */
const SHARE = 0.05;
/** Whether a process is one of them; asked once, as nobody else becomes one. */
const known = new Map<string, boolean>();
let [peakKB, most] = [0, 0];

function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return ""; // it has ended, or belongs to somebody else
  }
}

function isOne(pid: string): boolean {
  let is = known.get(pid);
  if (is === undefined) {
    known.set(
      pid,
      is = pid !== String(Deno.pid) && (inside(pid) || read(`/proc/${pid}/environ`).includes(home)),
    );
  }
  return is;
}

function inside(pid: string): boolean {
  try {
    return Deno.readLinkSync(`/proc/${pid}/cwd`).startsWith(home);
  } catch {
    return false;
  }
}

function sample(): void {
  let [sumKB, count] = [0, 0];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name) || !isOne(name)) continue;
    const pss = /^Pss:\s+(\d+)/m.exec(read(`/proc/${name}/smaps_rollup`));
    if (pss === null) continue;
    sumKB += Number(pss[1]);
    count++;
  }
  if (sumKB > peakKB) peakKB = sumKB;
  if (count > most) most = count;
}

let timer: ReturnType<typeof setTimeout> | undefined;
function look(): void {
  const startedAt = performance.now();
  sample();
  timer = setTimeout(look, Math.max(INTERVAL_MS, (performance.now() - startedAt) / SHARE));
}

look();
console.log("looking");
for await (const _ of Deno.stdin.readable) { /* nothing comes but the end */ }
clearTimeout(timer);
sample();
console.log(JSON.stringify({ pssMB: peakKB / 1024, processes: most }));
