/** Expressions: the Common Expression Language; it has no loops, no access to JavaScript, and no side effects. */
export { Environment } from "npm:@marcbachmann/cel-js@8.0.0";
