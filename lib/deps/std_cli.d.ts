/** The part of `parseArgs` that the command line uses; results are read as unknown and checked there. */
export interface ParseOptions {
  "--"?: boolean;
  alias?: Record<string, string | readonly string[]>;
  boolean?: boolean | readonly string[];
  string?: readonly string[];
  collect?: readonly string[];
  negatable?: readonly string[];
  default?: Record<string, unknown>;
  stopEarly?: boolean;
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}
export interface ParsedArgs {
  _: (string | number)[];
  "--"?: string[];
  [name: string]: unknown;
}
export function parseArgs(args: readonly string[], options?: ParseOptions): ParsedArgs;
