import { TargetError } from "../base/errors.ts";

/** So many hosts one pattern may stand for. */
const MAX_HOSTS = 100_000;

/**
 * The destinations a range stands for. A bracket holds a list of words and ranges: `web[01-20].x`,
 * `db[1,3,7-9]`, `rack[a-c]-[1-4]`, every second one `web[01-20:2]`; leading zeros are kept. A bracketed IPv6
 * address is an address, not a range. Throws `TargetError` ("bad-host-pattern"), also for more than 100,000
 * hosts.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(expandHostRange("web[08-10].x"), ["web08.x", "web09.x", "web10.x"]);
 * assertEquals(expandHostRange("[a,b][1-2]"), ["a1", "a2", "b1", "b2"]);
 * assertEquals(expandHostRange("root@[::1]:22"), ["root@[::1]:22"]);
 * ```
 */
export function expandHostRange(pattern: string): string[] {
  const refuse: Refuse = (why, fix) => {
    throw new TargetError("bad-host-pattern", {
      what: "Cannot expand the host pattern",
      where: JSON.stringify(pattern.length > 100 ? `${pattern.slice(0, 100)}…` : pattern),
      why,
      fix: fix ?? "write ranges like web[01-20], web[01-20:2] or web[a,b,01-03]",
    });
  };
  const parts = split(pattern, refuse);
  const count = parts.reduce((product, part) => product * sizeOf(part), 1);
  if (count > MAX_HOSTS) refuse(`it stands for more than ${MAX_HOSTS} hosts`, "split it");
  let hosts = [""];
  for (const part of parts) {
    const words = typeof part === "string" ? [part] : part.flatMap((item) => [...wordsOf(item)]);
    hosts = hosts.flatMap((host) => words.map((word) => host + word));
  }
  return hosts;
}

type Refuse = (why: string, fix?: string) => never;
/** A word, or every `step`th of a range of numbers (`width` digits at least) or letters (char codes). */
type Item = string | {
  readonly from: number;
  readonly to: number;
  readonly step: number;
  readonly width: number;
  readonly letters: boolean;
};

/** Literal text and brackets in turn. */
function split(pattern: string, refuse: Refuse): (string | Item[])[] {
  const parts: (string | Item[])[] = [];
  let at = 0;
  while (at < pattern.length) {
    const open = pattern.indexOf("[", at);
    const literal = open < 0 ? pattern.slice(at) : pattern.slice(at, open);
    if (literal.includes("]")) refuse("a ] has no [ before it");
    if (literal !== "") parts.push(literal);
    if (open < 0) break;
    const close = pattern.indexOf("]", open);
    if (close < 0) refuse("a [ has no ] after it");
    const inside = pattern.slice(open + 1, close);
    const mayBeAddress = /(^|@|\/)$/.test(literal);
    parts.push(
      mayBeAddress && isAddress(inside)
        ? `[${inside}]`
        : inside.split(",").map((item) => readItem(item, refuse)),
    );
    at = close + 1;
  }
  return parts;
}

/** Colons are an address's, but for the one before a step: `01-20:2`. */
function isAddress(inside: string): boolean {
  return inside.split(",").some((item) => item.includes(":") && !/^\w+-\w+:\w*$/.test(item));
}

function readItem(text: string, refuse: Refuse): Item {
  const [, range = text, stepText] = /^(\w+-\w+):(.*)$/.exec(text) ?? [];
  const step = stepText === undefined ? 1 : /^\d{1,9}$/.test(stepText) ? Number(stepText) : 0;
  if (step === 0) refuse(`the step in ${JSON.stringify(text)} is no whole number from 1`);
  const numbers = /^(\d{1,9})-(\d{1,9})$/.exec(range);
  if (numbers) {
    const [, first, last] = numbers;
    const width = first.startsWith("0") ? first.length : 1;
    return ascending({ from: Number(first), to: Number(last), step, width, letters: false }, text, refuse);
  }
  if (/^([a-z]-[a-z]|[A-Z]-[A-Z])$/.test(range)) {
    const [from, to] = [range.charCodeAt(0), range.charCodeAt(2)];
    return ascending({ from, to, step, width: 1, letters: true }, text, refuse);
  }
  if (stepText !== undefined || !/^[\w.-]+$/.test(text)) {
    return refuse(
      text === "" ? "a list in brackets has an empty entry" : `${JSON.stringify(text)} is no range`,
    );
  }
  return text;
}

function ascending(range: Exclude<Item, string>, text: string, refuse: Refuse): Item {
  if (range.from > range.to) refuse(`the range ${text} runs backwards`);
  return range;
}

function sizeOf(part: string | Item[]): number {
  if (typeof part === "string") return 1;
  return part.reduce((sum, item) => sum + (typeof item === "string" ? 1 : countOf(item)), 0);
}

function countOf({ from, to, step }: Exclude<Item, string>): number {
  return Math.floor((to - from) / step) + 1;
}

function* wordsOf(item: Item): Generator<string> {
  if (typeof item === "string") return yield item;
  for (let value = item.from; value <= item.to; value += item.step) {
    yield item.letters ? String.fromCharCode(value) : String(value).padStart(item.width, "0");
  }
}
