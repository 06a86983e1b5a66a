/** What is measured: workloads, who runs them, and one measurement. Nothing here knows of SSH. */

export type Unit = "ms" | "MB" | "% of a core" | "× idle" | "% of the link" | "kB";

/** One measurement of one contender in one round. */
export interface Measurement {
  /** Per operation, in the contender's unit. */
  readonly value: number;
  /** Over how many operations `value` is the mean. */
  readonly operations: number;
  /** CPU time of the client side, user and system, per operation; absent where it was not to be had. */
  readonly clientCpuMs?: number;
  /** The most memory that the client side held at once: the process, its children, masters and the keeper. */
  readonly peakMB?: number;
  /** It was stopped before its end, so `value` is less than what it takes. */
  readonly stopped?: boolean;
  /** Anything else worth keeping with the raw round. */
  readonly more?: Readonly<Record<string, number | string>>;
}

/** A line of the table. */
export interface Contender {
  readonly name: string;
  /** Default `ms`. */
  readonly unit?: Unit;
  /** Why it cannot be measured on this machine: it is then named in the result, and the rest goes on. */
  readonly missing?: string;
  /** A floor is no tool that anybody could use instead: it shows what part of the figure is the method's own. */
  readonly floor?: boolean;
  /** At most so many rounds, and no warm-up: for what takes minutes. The table says how many there were. */
  readonly rounds?: number;
  readonly measure?: () => Promise<Measurement>;
}

/** A ratio that the project promises: `contender` over `against` is at most `atMost`. */
export interface RatioPromise {
  readonly contender: string;
  readonly against: string;
  readonly atMost: number;
  /** What is compared; default the value itself. */
  readonly figure?: "clientCpuMs";
  /** Where it is promised. */
  readonly source: string;
}

/** An absolute figure that the project promises; only for what does not depend on the machine's speed. */
export interface ValuePromise {
  readonly contender: string;
  readonly atMostValue: number;
  readonly source: string;
}

/** The same from below. */
export interface FloorPromise {
  readonly contender: string;
  readonly atLeastValue: number;
  readonly source: string;
}

/** The same of the memory that a contender held at most. */
export interface PeakPromise {
  readonly contender: string;
  readonly atMostPeakMB: number;
  readonly source: string;
}

export type WorkloadPromise = RatioPromise | ValuePromise | FloorPromise | PeakPromise;

/** The link that a workload ran over. */
export interface LinkDescription {
  readonly rttMs: number;
  /** Whether the round trip comes from lib/emulator; loopback itself otherwise. */
  readonly emulated: boolean;
}

export interface Workload {
  /** How it is called on the command line and in the result file. */
  readonly id: string;
  readonly title: string;
  readonly link: LinkDescription;
  /** The contender that ratios are against, unless a promise says otherwise. */
  readonly baseline: string;
  readonly contenders: readonly Contender[];
  readonly promises?: readonly WorkloadPromise[];
  /**
   * Measures all contenders in one act, for figures that cannot be had one by one; then no contender has a `measure`
   * and there is no order to alternate.
   */
  readonly together?: () => Promise<Readonly<Record<string, Measurement>>>;
  /** Default: one warm-up round, which is measured and thrown away. */
  readonly warmUpRounds?: number;
}
