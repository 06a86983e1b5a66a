import { assertEquals } from "@std/assert";
import { fc } from "fast-check";
import { FlightCounter, type FlightStamp } from "../../lib/emulator/flights.ts";

/** Moves chunks by hand: what is sent waits until it is delivered. */
class Traffic {
  readonly counter: FlightCounter;
  constructor(order?: "sequence" | "independent") {
    this.counter = new FlightCounter(order);
  }
  ask(connection: number): () => void {
    const stamp = this.counter.sent(connection, "up");
    return () => this.counter.delivered(connection, "up", stamp, 10);
  }
  answer(connection: number): () => void {
    const stamp = this.counter.sent(connection, "down");
    return () => this.counter.delivered(connection, "down", stamp, 100);
  }
  roundTrip(connection: number): void {
    this.ask(connection)();
    this.answer(connection)();
  }
}

Deno.test("flights counts a ping-pong of n as n, after one for the handshake", () => {
  fc.assert(fc.property(fc.nat(50), (pings) => {
    const traffic = new Traffic();
    const meter = traffic.counter.meter();
    traffic.counter.opened(1);
    for (let i = 0; i < pings; i++) traffic.roundTrip(1);
    assertEquals(meter.counters().roundTrips, 1 + pings);
  }));
});

Deno.test("flights counts any number of pipelined requests as one round trip", () => {
  const traffic = new Traffic();
  using meter = traffic.counter.meter();
  const requests = [1, 2, 3, 4].map(() => traffic.ask(1));
  for (const arrive of requests) arrive();
  for (let i = 0; i < 4; i++) traffic.answer(1)();
  assertEquals(meter.counters(), {
    connections: 0,
    roundTrips: 1,
    bytesUp: 40,
    bytesDown: 400,
    chunksUp: 4,
    chunksDown: 4,
  });
});

Deno.test("flights counts pipelined requests as one also when answers to the first overtake the last on the way", () => {
  const traffic = new Traffic();
  using meter = traffic.counter.meter();
  const [first, second] = [traffic.ask(1), traffic.ask(1)];
  first();
  const early = traffic.answer(1);
  second();
  early();
  traffic.answer(1)();
  assertEquals(meter.counters().roundTrips, 1);
});

Deno.test("flights does not count what nobody answers", () => {
  const traffic = new Traffic();
  using meter = traffic.counter.meter();
  traffic.roundTrip(1);
  traffic.ask(1)(); // the answer to a channel close, a window adjust
  traffic.ask(1)();
  assertEquals(meter.counters().roundTrips, 1);
  traffic.roundTrip(1);
  assertEquals(meter.counters().roundTrips, 2);
});

Deno.test("flights counts a server that speaks first as the second round trip of its connection", () => {
  const traffic = new Traffic();
  using meter = traffic.counter.meter();
  traffic.counter.opened(1);
  assertEquals(meter.counters().roundTrips, 1);
  traffic.answer(1)();
  assertEquals(meter.counters().roundTrips, 2);
  traffic.roundTrip(1);
  assertEquals(meter.counters().roundTrips, 3);
});

Deno.test("flights adds up connections that follow one another", () => {
  const traffic = new Traffic("sequence");
  using meter = traffic.counter.meter();
  for (const connection of [1, 2, 3]) {
    traffic.counter.opened(connection);
    traffic.roundTrip(connection);
    traffic.roundTrip(connection);
    traffic.counter.closed(connection);
  }
  assertEquals([meter.counters().connections, meter.counters().roundTrips], [3, 9]);
});

Deno.test("flights counts connections side by side once when they were opened together", () => {
  const traffic = new Traffic("sequence");
  using meter = traffic.counter.meter();
  traffic.counter.opened(1);
  traffic.counter.opened(2);
  for (let i = 0; i < 4; i++) {
    traffic.roundTrip(1);
    traffic.roundTrip(2);
  }
  assertEquals(meter.counters().roundTrips, 5);
});

Deno.test("flights lets independent connections begin at nothing", () => {
  const traffic = new Traffic("independent");
  using meter = traffic.counter.meter();
  for (const connection of [1, 2]) {
    traffic.counter.opened(connection);
    traffic.roundTrip(connection);
  }
  assertEquals(meter.counters().roundTrips, 2);
});

Deno.test("flights begins anew at a mark: an answer to what was asked before it is no round trip", () => {
  const traffic = new Traffic();
  using whole = traffic.counter.meter();
  traffic.roundTrip(1);
  traffic.roundTrip(1);
  const pending = traffic.ask(1);
  using mark = traffic.counter.meter();
  const request = traffic.ask(1);
  pending();
  traffic.answer(1)();
  assertEquals(mark.counters().roundTrips, 0);
  request();
  traffic.answer(1)();
  assertEquals([mark.counters().roundTrips, whole.counters().roundTrips], [1, 3]);
});

Deno.test("flights stops a mark's counters when it is disposed", () => {
  const traffic = new Traffic();
  const mark = traffic.counter.meter();
  traffic.roundTrip(1);
  mark[Symbol.dispose]();
  traffic.roundTrip(1);
  assertEquals(mark.counters().roundTrips, 1);
});

Deno.test("flights never counts more round trips than the shorter side sent, nor fewer at a later time", () => {
  fc.assert(fc.property(fc.array(fc.nat(3), { maxLength: 60 }), (steps) => {
    const counter = new FlightCounter();
    const meter = counter.meter();
    const inFlight: { up: FlightStamp[]; down: FlightStamp[] } = { up: [], down: [] };
    let before = 0;
    for (const step of steps) {
      const direction = step & 1 ? "up" : "down";
      if (step & 2) inFlight[direction].push(counter.sent(1, direction));
      else {
        const stamp = inFlight[direction].shift();
        if (stamp) counter.delivered(1, direction, stamp, 1);
      }
      const { roundTrips, chunksUp, chunksDown } = meter.counters();
      assertEquals(roundTrips >= before && roundTrips <= Math.min(chunksUp, chunksDown), true);
      before = roundTrips;
    }
  }));
});
