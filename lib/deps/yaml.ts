/** YAML with positions. */
export { isAlias, isMap, isPair, isScalar, isSeq, LineCounter, parseDocument } from "npm:yaml@2.9.1";
export type { Document, Node, ParsedNode } from "npm:yaml@2.9.1";
