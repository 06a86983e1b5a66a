/** The tour: the workloads that answer for what is promised, each with a time of its own, all in about half an hour. */

/** How a workload runs on the tour. */
export interface TourStop {
  readonly id: string;
  readonly rounds: number;
  /** No further round is begun after so long. */
  readonly budgetSeconds: number;
  /** Without a warm-up round: where one takes long, and each of its turns begins from nothing or warms itself. */
  readonly cold?: boolean;
}

const stop = (id: string, rounds: number, budgetSeconds: number, cold = false): TourStop => ({
  id,
  rounds,
  budgetSeconds,
  cold,
});

/** Names of groups, and what is in them, in the order in which it runs. */
export const TOUR: Readonly<Record<string, readonly TourStop[]>> = {
  commands: [
    stop("exec-0", 5, 35),
    stop("exec-50", 5, 40),
    stop("exec-100", 5, 50),
    stop("exec-200", 2, 30, true),
    stop("attach", 5, 35),
    stop("attach-25", 5, 25),
    stop("job-20-200", 5, 60),
    stop("dependent-50", 5, 65, true),
    stop("dependent-200", 2, 60, true),
    stop("parallel-0-warm", 5, 25),
    stop("keeper-memory", 2, 60),
  ],
  bulk: [
    stop("tree-warm-50", 5, 75),
    stop("bulk-pull", 3, 30),
    stop("bulk-push", 3, 30),
    stop("large-push", 3, 45),
    stop("large-pull", 3, 45),
    stop("large-push-far", 2, 60, true),
    stop("during-bulk-narrow", 3, 50, true),
    stop("during-bulk-push-narrow", 2, 45, true),
    stop("during-bulk", 2, 20, true),
    stop("fleet-bulk", 3, 50),
  ],
  fleets: [
    stop("fleet-100-hosts", 3, 55),
    stop("fleet-200-hosts", 1, 350, true),
    stop("fleet-1000-hosts", 1, 150, true),
    stop("fleet-50", 1, 80, true),
  ],
  rest: [
    stop("start-up", 5, 15),
    stop("connect-50", 5, 30),
    stop("speed-up-0", 5, 20),
    stop("speed-up-50", 3, 40, true),
    stop("throw-away-0", 3, 45, true),
    stop("cpu", 2, 35, true),
  ],
};
