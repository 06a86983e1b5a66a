/** A name as text around its last number; a port behind it stays with the text. */
const numbered = /^(.*?)(\d{1,9})(\D*(?::\d+)?)$/s;

interface Family {
  readonly prefix: string;
  readonly suffix: string;
  /** Digits with leading zeros; 0 for plain numbers. */
  readonly width: number;
  readonly numbers: number[];
}

/**
 * Host names as the ranges that `--hosts` takes: `web[01-20],db1`. Families stand in the order of their first name.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(foldHosts(["web1", "web2", "web3", "db", "web5"]), "web[1-3,5],db");
 * ```
 */
export function foldHosts(names: readonly string[]): string {
  // 10 is of one family with 09, and with 9: what others of the same shape look like decides.
  const padded = new Set<string>();
  // What has brackets already (an IPv6 address) stays as it is.
  const parts = names.map((name) => /[[\]]/.test(name) ? null : numbered.exec(name));
  for (const part of parts) {
    if (part && part[2].length > 1 && part[2].startsWith("0")) {
      padded.add(shape(part[1], part[3], part[2].length));
    }
  }
  const families = new Map<string, Family | string>();
  parts.forEach((part, index) => {
    if (!part) return void families.set(`=${names[index]}`, names[index]);
    const [, prefix, digits, suffix] = part;
    const width = padded.has(shape(prefix, suffix, digits.length)) ? digits.length : 0;
    const key = shape(prefix, suffix, width);
    const family = families.get(key) as Family | undefined ?? { prefix, suffix, width, numbers: [] };
    families.set(key, family);
    family.numbers.push(Number(digits));
  });
  return [...families.values()].map((family) => typeof family === "string" ? family : ranges(family)).join(
    ",",
  );
}

function shape(prefix: string, suffix: string, width: number): string {
  return JSON.stringify([prefix, suffix, width]);
}

function ranges({ prefix, suffix, width, numbers }: Family): string {
  const sorted = [...new Set(numbers)].sort((a, b) => a - b);
  const spans: [number, number][] = [];
  for (const number of sorted) {
    const last = spans.at(-1);
    if (last && number === last[1] + 1) last[1] = number;
    else spans.push([number, number]);
  }
  const digits = (number: number) => String(number).padStart(width, "0");
  const texts = spans.map(([from, to]) => from === to ? digits(from) : `${digits(from)}-${digits(to)}`);
  const several = sorted.length > 1;
  return `${prefix}${several ? `[${texts.join(",")}]` : texts[0]}${suffix}`;
}
