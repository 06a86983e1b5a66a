/** A piece of text as it stands, or an expression to be put in its place. */
export type TextPart =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "expression"; readonly source: string; readonly raw: boolean; readonly offset: number };

/** `{{` without its end. */
export interface OpenExpression {
  readonly offset: number;
}

/**
 * Splits text at `{{ expression }}`. What begins with a dot is no expression but the beginning of a Go template, as `docker ps --format
 * '{{.Names}}'` has it. `}}` inside a string of the expression does not end it. An expression that ends in `| raw` is
 * put in as it is.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(textParts("ls {{ dir }}"), [
 *   { kind: "text", text: "ls " },
 *   { kind: "expression", source: "dir", raw: false, offset: 3 },
 * ]);
 * ```
 */
export function textParts(text: string): readonly TextPart[] | OpenExpression {
  if (!text.includes("{{")) return text === "" ? [] : [{ kind: "text", text }];
  const parts: TextPart[] = [];
  let plain = "";
  for (let at = 0; at < text.length;) {
    const open = text.indexOf("{{", at);
    if (open < 0) {
      plain += text.slice(at);
      break;
    }
    plain += text.slice(at, open);
    if (/^\s*\./.test(text.slice(open + 2, open + 20))) {
      plain += "{{";
      at = open + 2;
      continue;
    }
    const end = expressionEnd(text, open + 2);
    if (end === undefined) return { offset: open };
    if (plain !== "") parts.push({ kind: "text", text: plain });
    plain = "";
    const inside = text.slice(open + 2, end).trim();
    const raw = /(?<!\|)\|\s*raw$/.exec(inside);
    const source = raw ? inside.slice(0, raw.index).trim() : inside;
    parts.push({ kind: "expression", source, raw: raw !== null, offset: open });
    at = end + 2;
  }
  if (plain !== "") parts.push({ kind: "text", text: plain });
  return parts;
}

/** Where the `}}` is that ends the expression: not inside a string, and not one that ends two maps. */
function expressionEnd(text: string, from: number): number | undefined {
  let quote = "";
  let depth = 0;
  for (let i = from; i < text.length; i++) {
    const c = text[i]!;
    if (quote !== "") {
      if (c === "\\") i++;
      else if (c === quote) quote = "";
    } else if (c === '"' || c === "'") quote = c;
    else if (c === "{") depth++;
    else if (c === "}") {
      if (depth > 0) depth--;
      else if (text[i + 1] === "}") return i;
    }
  }
  return undefined;
}

/** Whether text holds an expression. */
export function hasExpression(text: string): boolean {
  const parts = textParts(text);
  return "offset" in parts || parts.some((part) => part.kind === "expression");
}
