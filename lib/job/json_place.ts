// deno-lint-ignore no-control-regex
const STRING = /"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SCALAR = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.])/y;

/** Where a text stops being JSON (RFC 8259): JSON.parse only sometimes tells. Its length where nothing is wrong. */
export function jsonMistakeAt(text: string): number {
  let at = 0;
  const open: ("[" | "{")[] = [];
  const skip = () => {
    while (/[ \t\r\n]/.test(text[at] ?? "")) at++;
  };
  const take = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found) at += found[0].length;
    return found !== null;
  };
  const key = (): boolean => {
    skip();
    if (!take(STRING)) return false;
    skip();
    return take(/:/y);
  };
  for (;;) {
    // A value is due here.
    skip();
    const c = text[at];
    if (c === "{" || c === "[") {
      at++;
      skip();
      if (text[at] !== (c === "{" ? "}" : "]")) {
        open.push(c);
        if (c === "{" && !key()) return at;
        continue;
      }
      at++;
    } else if (!take(STRING) && !take(SCALAR)) return at;
    // A value is over.
    for (;;) {
      skip();
      const inside = open.at(-1);
      if (inside === undefined) return at;
      if (text[at] === ",") {
        at++;
        if (inside === "{" && !key()) return at;
        break;
      }
      if (text[at] !== (inside === "{" ? "}" : "]")) return at;
      at++;
      open.pop();
    }
  }
}
