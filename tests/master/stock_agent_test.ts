/** Agent forwarding with a real ssh-agent: the keeper answers for it, and a private connection by itself. */
import { assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { run, type Running, start } from "../support/run.ts";
import { provide } from "../support/tools.ts";
import { StockRig } from "./stock_rig.ts";

/** An agent with one key in it. */
async function startAgent(rig: StockRig): Promise<{ agent: Running; socket: string; fingerprint: string }> {
  const { sshAgent, sshAdd, sshKeygen } = rig.sshd.openssh;
  const socket = join(rig.home.path, "agent");
  const agent = start(sshAgent, ["-D", "-a", socket], { env: rig.env, clearEnv: true });
  await agent.waitFor(/SSH_AUTH_SOCK/);
  const key = join(rig.home.path, "carried");
  const env = { ...rig.env, SSH_AUTH_SOCK: socket };
  await run(sshKeygen, ["-q", "-t", "ed25519", "-N", "", "-C", "carried", "-f", key], {
    env,
    clearEnv: true,
  });
  const added = await run(sshAdd, ["-q", key], { env, clearEnv: true });
  assertEquals(added.code, 0, added.stderr);
  const { stdout } = await run(sshAdd, ["-l"], { env, clearEnv: true });
  return { agent, socket, fingerprint: stdout.split(" ")[1] };
}

async function agentRig(): Promise<StockRig> {
  return await StockRig.start({ programs: [await provide("ssh-add", "openssh-client")] });
}

Deno.test("sessions on the keeper's connection reach the agent that the client named", async () => {
  await using rig = await agentRig();
  const { agent: running, socket, fingerprint } = await startAgent(rig);
  await using _agent = running;
  const options = { forwardAgent: true, environment: { ...rig.env, SSH_AUTH_SOCK: socket } };
  const host = await rig.connect(options);
  const listed = await host.exec("ssh-add -l");
  assertMatch(listed.stdout, new RegExp(RegExp.escape(fingerprint)), listed.stderr);
  // Several at once, and another process.
  const other = await rig.connect(options);
  const all = await Promise.all([host, other, host, other].map((it) => it.exec("ssh-add -l")));
  for (const { stdout, stderr } of all) assertEquals(stdout, listed.stdout, stderr);
  // What a client left behind still reaches it: the keeper answers, not the client.
  await host.exec(
    "(until [ -e go ]; do sleep 0.02; done; ssh-add -l > list; mv list later) > /dev/null 2>&1 < /dev/null &",
  );
  await host.close();
  const later = await other.exec("touch go; until [ -e later ]; do sleep 0.02; done; cat later");
  assertEquals(later.stdout, listed.stdout);
  await other.close();
  assertEquals(rig.sshd.connections(), 1);
});

Deno.test("carpool exec -A forwards the agent", async () => {
  await using rig = await agentRig();
  const { agent: running, socket, fingerprint } = await startAgent(rig);
  await using _agent = running;
  const args = ["exec", "-A", "-F", rig.configFile, "test", "--", "ssh-add -l"];
  for (let i = 0; i < 2; i++) {
    const { stdout, stderr } = await rig.carpool(args, { env: { SSH_AUTH_SOCK: socket } });
    assertMatch(stdout, new RegExp(RegExp.escape(fingerprint)), stderr);
  }
  const without = await rig.carpool(["exec", "-F", rig.configFile, "test", "--", "ssh-add -l"], {
    env: { SSH_AUTH_SOCK: socket },
  });
  assertMatch(without.stderr, /Could not open a connection to your authentication agent/);
});

Deno.test("a private connection forwards the agent too, and none is asked for unless it is wanted", async () => {
  await using rig = await agentRig();
  const { agent: running, socket, fingerprint } = await startAgent(rig);
  await using _agent = running;
  const environment = { ...rig.env, SSH_AUTH_SOCK: socket };
  await using host = await rig.connect({ forwardAgent: true, environment, share: false });
  assertMatch((await host.exec("ssh-add -l")).stdout, new RegExp(RegExp.escape(fingerprint)));
  await using plain = await rig.connect({ environment, share: false });
  assertMatch(
    (await plain.exec("ssh-add -l")).stderr,
    /Could not open a connection to your authentication agent/,
  );
});

Deno.test("an agent that is not there costs the session nothing but the agent", async () => {
  await using rig = await agentRig();
  const environment = { ...rig.env, SSH_AUTH_SOCK: join(rig.home.path, "nobody") };
  await using host = await rig.connect({ forwardAgent: true, environment });
  const { code, stderr } = await host.exec("ssh-add -l");
  assertEquals(code === 0, false, stderr);
  assertEquals((await host.exec("echo well")).stdout, "well\n");
});
