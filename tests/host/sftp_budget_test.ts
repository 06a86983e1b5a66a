import { assertEquals } from "@std/assert";
import { SftpBudget } from "../../lib/host/sftp_budget.ts";

/** Asks in turn and notes who was let through. */
function asking(budget: SftpBudget) {
  const admitted: string[] = [];
  return {
    admitted,
    ask: (name: string, bytes: number, signal?: AbortSignal) =>
      budget.acquire(bytes, signal).then(() => void admitted.push(name)),
  };
}

const turn = () =>
  new Promise<void>((resolve) => queueMicrotask(() => queueMicrotask(() => queueMicrotask(resolve))));

Deno.test("a budget lets in who asked first, even when who came later would fit", async () => {
  const budget = new SftpBudget(10, 100);
  const { admitted, ask } = asking(budget);
  await ask("a", 90);
  const rest = [ask("big", 50), ask("small", 5)];
  await turn();
  assertEquals(admitted, ["a"]);
  assertEquals(budget.tryAcquire(5), false);
  budget.release(90);
  await Promise.all(rest);
  assertEquals(admitted, ["a", "big", "small"]);
});

Deno.test("a budget lets one request through that is larger than all of it, alone", async () => {
  const budget = new SftpBudget(10, 100);
  const { admitted, ask } = asking(budget);
  await ask("huge", 1000);
  const next = ask("next", 1);
  await turn();
  assertEquals(admitted, ["huge"]);
  budget.release(1000);
  await next;
  assertEquals(admitted, ["huge", "next"]);
});

Deno.test("who gives up waiting for a budget makes way for those behind", async () => {
  const budget = new SftpBudget(10, 100);
  const { admitted, ask } = asking(budget);
  await ask("a", 90);
  const controller = new AbortController();
  const big = ask("big", 50, controller.signal).catch((reason) => reason);
  const small = ask("small", 5);
  controller.abort("enough");
  assertEquals(await big, "enough");
  await small;
  assertEquals(admitted, ["a", "small"]);
});

Deno.test("a budget that has ended refuses all who wait and all who come", async () => {
  const budget = new SftpBudget(1, 100);
  await budget.acquire(1);
  const waiting = budget.acquire(1).catch((reason) => reason);
  budget.end("over");
  assertEquals(await waiting, "over");
  assertEquals(await budget.acquire(1).catch((reason) => reason), "over");
  assertEquals(budget.tryAcquire(0), false);
});
