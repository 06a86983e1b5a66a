/** The part of vega that plots use: a specification in, SVG out. */
export interface Runtime {
  readonly operators: readonly unknown[];
}
export function parse(spec: object): Runtime;
export class View {
  constructor(runtime: Runtime, options?: { renderer?: "none" | "svg"; logLevel?: number });
  toSVG(): Promise<string>;
  finalize(): this;
}
