// Elements, attributes and text are all that is needed here: no namespaces, comments or CDATA, so nothing to get wrong but
// escaping and the characters that XML 1.0 cannot hold at all (§2.2), which no reference can bring in either.
const impossible =
  // deno-lint-ignore no-control-regex -- what XML cannot hold
  /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

const references: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  // In an attribute these would be read as spaces, and a return anywhere as a line feed (§3.3.3, §2.11).
  "\t": "&#9;",
  "\n": "&#10;",
  "\r": "&#13;",
};

/** Text for between two tags. */
export function xmlText(text: string): string {
  return text.replace(impossible, "\ufffd").replace(/[&<>\r]/g, (c) => references[c]);
}

/** An element; its attributes in order, those that are undefined left out; its content is markup. */
export function xmlElement(
  name: string,
  attributes: Readonly<Record<string, string | number | undefined>>,
  content = "",
): string {
  const all = Object.entries(attributes).filter(([, value]) => value !== undefined).map(([key, value]) => {
    return ` ${key}="${
      String(value).replace(impossible, "\ufffd").replace(/[&<>"\t\n\r]/g, (c) => references[c])
    }"`;
  });
  return content === "" ? `<${name}${all.join("")}/>` : `<${name}${all.join("")}>${content}</${name}>`;
}
