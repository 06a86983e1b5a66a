/** A strict XML parser. Tests only. */
export { SaxesParser } from "npm:saxes@6.0.0";
