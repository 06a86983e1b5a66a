/** What says that a step is not needed; `plan`: it was known before. */
export type Guard = "creates" | "unless" | "plan";

const guards: Readonly<Record<string, Guard>> = { c: "creates", u: "unless", p: "plan" };

/** The guard that a letter stands for. */
export function guardOf(letter: string | undefined): Guard {
  return guards[letter ?? ""] ?? "creates";
}

/** What the remote side says between the steps, on both of its streams alike; see driver_text.ts. */
export type Mark =
  /** A step begins, or is tried again. */
  | { readonly type: "begin"; readonly index: number }
  /** An attempt is over, with its streams; `retry` where another follows. */
  | {
    readonly type: "end" | "retry";
    readonly index: number;
    readonly code: number;
    /** Without SIG; undefined where it exited, as far as can be told. */
    readonly signal: string | undefined;
    readonly timedOut: boolean;
  }
  /** A step was not needed. */
  | { readonly type: "skip"; readonly index: number; readonly guard: Guard }
  /** A small file is in its place; or was there already. */
  | { readonly type: "copied"; readonly index: number; readonly unchanged: boolean }
  /** A small file is to be copied in the ordinary way. */
  | { readonly type: "copy-refused"; readonly index: number }
  /** It was told to stop, and no further step begins. */
  | { readonly type: "stopped" }
  /** It cannot work here; no step began. */
  | { readonly type: "unable" }
  /** Nothing follows. */
  | { readonly type: "bye" };

/** Reads a mark without its nonce; undefined for what is none. Steps count from 0 here, from 1 on the wire. */
export function parseMark(text: string): Mark | undefined {
  const [type, first, second, third, fourth] = text.trim().split(" ");
  const index = Number(first) - 1;
  if (first !== undefined && !Number.isInteger(index)) return undefined;
  switch (type) {
    case "B":
      return { type: "begin", index };
    case "E":
    case "R": {
      const code = Number(second);
      if (!Number.isInteger(code)) return undefined;
      const signal = third === undefined || third === "-" ? undefined : third.replace(/^SIG/, "");
      return { type: type === "E" ? "end" : "retry", index, code, signal, timedOut: fourth === "1" };
    }
    case "K":
      return { type: "skip", index, guard: guardOf(second) };
    case "C":
      return { type: "copied", index, unchanged: second === "1" };
    case "F":
      return { type: "copy-refused", index };
    case "S":
      return { type: "stopped" };
    case "X":
      return { type: "unable" };
    case "Z":
      return { type: "bye" };
  }
  return undefined;
}
