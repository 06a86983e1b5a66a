/** What the runner gives a contender's program as its one argument, in JSON. */
export interface ContenderOptions {
  readonly configFile: string;
  /** An alias of that file. */
  readonly host: string;
  /** Rides the keeper; otherwise a connection in the program itself. */
  readonly share: boolean;
  readonly configLines?: readonly string[];
  readonly via?: "auto" | "ssh2" | "openssh";
  /** Operations that are done and not measured. */
  readonly warmUp: number;
  readonly count: number;
}

/** Reads them. */
export function contenderOptions<T extends ContenderOptions = ContenderOptions>(): T {
  return JSON.parse(Deno.args[0]);
}

/** What `connect` is given. Sharing must not silently fall back: a notice is a failure here. */
export function connectOptions(options: ContenderOptions) {
  const { configFile, share, configLines, via } = options;
  return {
    configFile,
    share,
    configLines,
    via,
    prompter: {
      interactive: false,
      secret: () => Promise.resolve(null),
      line: () => Promise.resolve(null),
      notice: (message: string) => {
        console.error(message);
        Deno.exit(3);
      },
    },
  };
}
