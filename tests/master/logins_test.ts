import { assertEquals, assertRejects } from "@std/assert";
import { Logins } from "../../lib/master/logins.ts";
import { noPrompter } from "../../lib/target/prompter.ts";

const never = new AbortController().signal;

/** A login that ends when it is told to. */
function login(logins: Logins, begun: string[], name: string, signal = never) {
  const end = Promise.withResolvers<string>();
  const done = logins.take(noPrompter, signal, () => {
    begun.push(name);
    return end.promise;
  });
  return { end, done };
}

const settle = async () => {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
};

Deno.test("logins begin a few at a time, in the order they came, whether those before them succeed or not", async () => {
  const logins = new Logins(2);
  const begun: string[] = [];
  const [a, b, c, d] = ["a", "b", "c", "d"].map((name) => login(logins, begun, name));
  await settle();
  assertEquals(begun, ["a", "b"]);
  a.end.resolve("in");
  assertEquals(await a.done, "in");
  await settle();
  assertEquals(begun, ["a", "b", "c"]);
  b.end.reject(new Deno.errors.ConnectionRefused("no"));
  await assertRejects(() => b.done, Deno.errors.ConnectionRefused);
  await settle();
  assertEquals(begun, ["a", "b", "c", "d"]);
  for (const one of [c, d]) one.end.resolve("in");
  await Promise.all([c.done, d.done]);
});

Deno.test("one that waits for its turn can give up, and the next one gets it", async () => {
  const logins = new Logins(1);
  const begun: string[] = [];
  const leaver = new AbortController();
  const a = login(logins, begun, "a");
  const b = login(logins, begun, "b", leaver.signal);
  const c = login(logins, begun, "c");
  leaver.abort(new DOMException("enough", "AbortError"));
  await assertRejects(() => b.done, DOMException, "enough");
  a.end.resolve("in");
  await settle();
  assertEquals(begun, ["a", "c"]);
  c.end.resolve("in");
  await c.done;
});

Deno.test("a login that asks somebody gives its turn on, once", async () => {
  const logins = new Logins(1);
  const begun: string[] = [];
  const answer = Promise.withResolvers<string | null>();
  const asking = logins.take({ ...noPrompter, secret: () => answer.promise }, never, async (prompter) => {
    await prompter.secret("password: ");
    return await prompter.secret("again: ");
  });
  const b = login(logins, begun, "b");
  const c = login(logins, begun, "c");
  await settle();
  assertEquals(begun, ["b"]);
  answer.resolve("x");
  assertEquals(await asking, "x");
  await settle();
  assertEquals(begun, ["b"]);
  b.end.resolve("in");
  await settle();
  assertEquals(begun, ["b", "c"]);
  c.end.resolve("in");
  await c.done;
});

Deno.test("a login that takes long gives its turn on, and goes on", async () => {
  const logins = new Logins(1, 5);
  const begun: string[] = [];
  const a = login(logins, begun, "a");
  const b = login(logins, begun, "b");
  b.end.resolve("in");
  assertEquals(await b.done, "in");
  a.end.resolve("in, late");
  assertEquals(await a.done, "in, late");
});
