/** Hosts behind a jump host: one connection to it, whoever wants to go through. */
import { assertEquals, assertRejects } from "@std/assert";
import { LinkError } from "../../lib/base/errors.ts";
import { Asking } from "../../lib/master/asking.ts";
import type { LineConn } from "../../lib/master/keeper_protocol.ts";
import { Scripted } from "./keeper_world.ts";
import { StockRig } from "./stock_rig.ts";

const ADDRESSES = Array.from({ length: 11 }, (_, at) => `127.0.0.${at + 1}`);

/** `test` is the gate, and `test2` … `test11` are reached through it. */
async function behindGate(rig: StockRig, gateLines = ""): Promise<void> {
  const jumps = `Host test2 test3 test4 test5 test6 test7 test8 test9 test10 test11\n  ProxyJump test\n`;
  const config = await Deno.readTextFile(rig.configFile);
  await Deno.writeTextFile(rig.configFile, `${jumps}${gateLines}${config}`);
}

const NAMES = Array.from({ length: 10 }, (_, at) => `test${at + 2}`);

Deno.test("ten hosts behind one jump host share one connection to it", async () => {
  await using rig = await StockRig.start({ hosts: ADDRESSES });
  await behindGate(rig);
  const hosts = await Promise.all(NAMES.map((name) => rig.connectTo(name)));
  const results = await Promise.all(hosts.map((host) => host.exec("echo $SSH_CONNECTION")));
  assertEquals(results.map(({ stdout }) => stdout.split(" ")[2]), ADDRESSES.slice(1));
  assertEquals([rig.sshd.connections(), rig.notices], [11, []]);
  // The gate itself is ridden too, and is one of the masters.
  await using gate = await rig.connect();
  assertEquals((await gate.exec("echo gate")).stdout, "gate\n");
  assertEquals([rig.sshd.connections(), (await rig.masters()).length], [11, 11]);
  for (const host of hosts) await host.close();
});

Deno.test("a gate that was connected before is ridden, and is shown without a session", async () => {
  await using rig = await StockRig.start({ hosts: ADDRESSES });
  await behindGate(rig);
  await using gate = await rig.connect();
  await gate.exec("true");
  assertEquals(rig.sshd.connections(), 1);
  await using host = await rig.connectTo("test2");
  assertEquals((await host.exec("echo through")).stdout, "through\n");
  assertEquals(rig.sshd.connections(), 2);
  assertEquals((await rig.masters()).map(({ sessions }) => sessions), [0, 0]);
});

Deno.test("a gate whose master is OpenSSH's is ridden through that", async () => {
  await using rig = await StockRig.start({ hosts: ADDRESSES });
  await behindGate(rig, `Host test\n  ControlPath ${rig.socket}\n`);
  const pid = await rig.startStockMaster();
  assertEquals(rig.sshd.connections(), 1);
  await using host = await rig.connectTo("test2");
  assertEquals((await host.exec("echo through")).stdout, "through\n");
  assertEquals(rig.sshd.connections(), 2);
  assertEquals((await rig.masters()).some((master) => master.pid === pid), true);
});

Deno.test("a gate that is not to be shared is connected to for each host", async () => {
  await using rig = await StockRig.start({ hosts: ADDRESSES });
  await behindGate(rig, "Host test\n  ControlMaster no\n");
  await using first = await rig.connectTo("test2");
  await using second = await rig.connectTo("test3");
  assertEquals((await first.exec("echo 1")).stdout + (await second.exec("echo 2")).stdout, "1\n2\n");
  assertEquals(rig.sshd.connections(), 4);
});

Deno.test("a host that the gate cannot reach is told as such, and costs the others nothing", async () => {
  await using rig = await StockRig.start({ hosts: ADDRESSES });
  await behindGate(rig, "Host test3\n  HostName 127.0.0.3\n  Port 1\n");
  await using host = await rig.connectTo("test2");
  const error = await assertRejects(() => rig.connectTo("test3"), LinkError);
  assertEquals([error.code, error.outcome], ["proxy-failed", "not-started"]);
  assertEquals((await host.exec("echo still")).stdout, "still\n");
});

Deno.test("what a gate's connection asks is asked once, of one of those who want to go through", async () => {
  await using rig = await StockRig.start({ hosts: ADDRESSES });
  const known = `${rig.home.path}/known_gate`;
  await behindGate(rig, `Host test\n  StrictHostKeyChecking ask\n  UserKnownHostsFile ${known}\n`);
  const prompters = NAMES.map(() => new Scripted("yes"));
  const hosts = await Promise.all(NAMES.map((name, at) => rig.connectTo(name, { prompter: prompters[at] })));
  assertEquals(prompters.flatMap(({ asked }) => asked).length, 1);
  assertEquals((await Promise.all(hosts.map((host) => host.exec("echo in")))).length, 10);
  assertEquals(rig.sshd.connections(), 11);
});

Deno.test("a gate's question goes to the next in line when the one that was asked leaves", async () => {
  const [gate, first, second] = [new Asking(), new Asking(), new Asking()];
  const asked: string[] = [];
  const client = (name: string, answer: string | null) => {
    const line = { send: () => Promise.resolve(void asked.push(name)) } as unknown as LineConn;
    return { line, answer };
  };
  const one = client("first", null);
  const joined = first.join(one.line, true);
  second.join(client("second", "yes").line, false);
  gate.borrow(first);
  gate.borrow(second);
  assertEquals(gate.interactive, true);
  const answer = gate.line("sure? ");
  await Promise.resolve();
  assertEquals(asked, ["first"]);
  joined.leave();
  assertEquals([await answer, gate.signal.aborted], [null, false]); // the second has no terminal, and still waits
});
