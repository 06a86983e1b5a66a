/**
 * One thing on the terminal may move: a live view that redraws itself. Whoever else writes there, a question or a
 * notice, takes a turn, so that neither paints over the other. The terminal is one per process, and so is this.
 */

/** What redraws itself on the terminal. */
export interface TerminalOccupant {
  /** Takes itself off the screen, and draws nothing until {@linkcode TerminalOccupant.resume}. */
  suspend(): void;
  /** Comes back. */
  resume(): void;
}

let occupant: TerminalOccupant | undefined;
let guests = 0;

/** Makes it the one that moves, until disposed. */
export function occupyTerminal(newcomer: TerminalOccupant): Disposable {
  occupant = newcomer;
  return {
    [Symbol.dispose]() {
      if (occupant === newcomer) occupant = undefined;
    },
  };
}

/** Takes the terminal for something that stays where it is written; given back when disposed. */
export function takeTerminal(): Disposable {
  const held = occupant;
  if (guests++ === 0) held?.suspend();
  let given = false;
  return {
    [Symbol.dispose]() {
      if (given) return;
      given = true;
      if (--guests === 0) occupant?.resume();
    },
  };
}
