/**
 * The counter against stock OpenSSH, whose round trips are known from its protocol. A new connection costs 9:
 *
 * 1. TCP's handshake
 * 2. version lines (the client waits for the server's before its KEXINIT)
 * 3. KEXINIT and the client's half of the key exchange, then the server's half, NEWKEYS
 * 4. NEWKEYS and the request for the authentication service
 * 5. authentication `none`, to learn the methods
 * 6. "would this public key do?"
 * 7. the signature
 * 8. CHANNEL_OPEN
 * 9. `exec`: its answer, the output, the exit status
 *
 * and a command on a master that is there the last two. Every identity that the server does not know costs one more.
 *
 * The client closes its input of its own accord after the answer to `exec`. Should the command's output come more than a
 * round trip later, on a busy machine, that is counted as its cause: too much, never too little. Hence the long round
 * trip, and the least of several runs.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { type EmulatedLink, emulateLink } from "../../lib/emulator/emulated_link.ts";
import { type Sshd, startSshd } from "../support/sshd.ts";

const RTT_MS = 60;

/** Runs the stock client through `link`; it must succeed. */
async function ssh(sshd: Sshd, link: EmulatedLink, ...args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(sshd.openssh.ssh, {
    args: ["-F", sshd.configFile, ...throughLink(sshd, link), ...args],
    env: { ...sshd.openssh.env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

function throughLink(sshd: Sshd, link: EmulatedLink): string[] {
  const options = [
    `Port=${link.port}`,
    `HostName=${link.hostname}`,
    `HostKeyAlias=[${sshd.host}]:${sshd.port}`,
    "IdentityAgent=none",
  ];
  return options.flatMap((option) => ["-o", option]);
}

/** The round trips of each of several runs. */
async function count(link: EmulatedLink, runs: number, run: () => Promise<unknown>): Promise<number[]> {
  const counts: number[] = [];
  for (let i = 0; i < runs; i++) {
    using mark = link.mark();
    await run();
    counts.push(mark.counters().roundTrips);
  }
  return counts;
}

Deno.test("flight counter counts 9 round trips when a new ssh runs a command", async () => {
  await using sshd = await startSshd();
  await using link = await emulateLink({ to: { hostname: sshd.host, port: sshd.port }, rttMs: RTT_MS });
  const counts = await count(link, 3, async () => {
    assertEquals(await ssh(sshd, link, "test", "echo hi"), "hi\n");
  });
  assertEquals(Math.min(...counts), 9, `${sshd.openssh.version}: ${counts}`);
  assert(Math.max(...counts) <= 11, String(counts));
  assertEquals(link.counters().connections, 3);
});

Deno.test("flight counter counts 2 round trips when ssh -S runs a command on a warm master", async () => {
  await using sshd = await startSshd();
  await using link = await emulateLink({ to: { hostname: sshd.host, port: sshd.port }, rttMs: RTT_MS });
  const directory = await Deno.makeTempDir({ prefix: "carpool-rt-" });
  const socket = join(directory, "master");
  try {
    const [login] = await count(link, 1, () => ssh(sshd, link, "-M", "-S", socket, "-fN", "test"));
    assertEquals(login, 7);
    const counts = await count(link, 5, async () => {
      assertEquals(await ssh(sshd, link, "-S", socket, "test", "echo hi"), "hi\n");
    });
    assertEquals(Math.min(...counts), 2, `${sshd.openssh.version}: ${counts}`);
    assertEquals(link.counters().connections, 1);
  } finally {
    await ssh(sshd, link, "-S", socket, "-O", "exit", "test");
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("flight counter adds up the round trips of one ssh after the other", async () => {
  await using sshd = await startSshd();
  await using link = await emulateLink({ to: { hostname: sshd.host, port: sshd.port }, rttMs: RTT_MS });
  for (let i = 0; i < 2; i++) await ssh(sshd, link, "test", "true");
  const { connections, roundTrips } = link.counters();
  assertEquals(connections, 2);
  assert(roundTrips >= 18 && roundTrips <= 22, String(roundTrips));
});
