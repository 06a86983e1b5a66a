import { assert, assertEquals, assertMatch } from "@std/assert";
import { ControlClient } from "../../lib/link/control_link.ts";
import { MUX } from "../../lib/wire/mux.ts";
import { Writer } from "../../lib/wire/writer.ts";
import { alive, gone } from "../support/processes.ts";
import { StockRig } from "./stock_rig.ts";

Deno.test("ssh -O check, stop and exit manage a master that Carpool holds", async () => {
  await using rig = await StockRig.start();
  await rig.openMaster();
  const keeper = await rig.keeperPid();
  const check = await rig.stock(["-O", "check", "test"]);
  assertEquals(check.code, 0, check.stderr);
  assertMatch(check.stderr, new RegExp(`Master running \\(pid=${keeper}\\)`));

  // A session lives through stop; nobody new gets on; the master leaves after it.
  await using session = rig.startStock(["-O", "proxy", "test", "echo up; read word; echo got $word"], {
    stdin: "",
  });
  await session.waitFor(/up/);
  const stop = await rig.stock(["-O", "stop", "test"]);
  assertEquals([stop.code, stop.stderr.trim()], [0, "Stop listening request sent."]);
  assertEquals((await rig.stock(["-O", "check", "test"])).code, 255);
  const { stdout } = await session.finished;
  assertEquals(stdout, "up\ngot\n");
  await gone(rig.sshd.processes());

  await rig.openMaster();
  await using other = rig.startStock(["-O", "proxy", "test", "echo up; sleep 1000"]);
  await other.waitFor(/up/);
  const exit = await rig.stock(["-O", "exit", "test"]);
  assertEquals([exit.code, exit.stderr.trim()], [0, "Exit request sent."]);
  assertEquals((await other.finished).code, 255);
  assertEquals((await rig.stock(["-O", "check", "test"])).code, 255);
  assertEquals(await Deno.lstat(rig.socket).then(() => "there", () => "gone"), "gone");
});

Deno.test("plain ssh at a master of Carpool's is told promptly that it is not taken, and what is", async () => {
  await using rig = await StockRig.start();
  await rig.openMaster();
  for (const words of [["test", "echo hi"], ["-tt", "test"], ["-W", "127.0.0.1:1", "test"]]) {
    const { code, stdout, stderr } = await rig.stock(words, { deadlineMs: 30_000 });
    assertEquals([code, stdout], [255, ""], stderr);
    assertMatch(
      stderr,
      /Carpool does not take (sessions|stdio forwards \(-W\)) this way yet: use ssh -O proxy/,
    );
  }
  // The master has not suffered.
  assertEquals((await rig.stock(["-O", "proxy", "test", "echo hi"])).stdout, "hi\n");
  assertEquals(rig.sshd.connections(), 1);
});

Deno.test("the info extension tells of the connection and its channels, byte for byte", async () => {
  await using rig = await StockRig.start();
  await rig.openMaster();
  await using session = rig.startStock(["-O", "proxy", "test", "echo up; sleep 1000"]);
  await session.waitFor(/up/);
  using client = await ControlClient.connect(rig.socket);
  const ask = async (kind: string) => {
    const id = client.nextRequestId();
    // uint32 length · MUX_C_EXT_INFO · uint32 request id · string kind
    const body = new Writer().uint32(MUX.EXT_INFO).uint32(id).utf8(kind).finish();
    const answer = await client.ask(new Writer().string(body).finish(), id);
    assertEquals(answer.type, MUX.EXT_INFO_REPLY);
    return { status: answer.body.uint32(), text: answer.body.utf8(), left: answer.body.remaining };
  };
  const { port, user } = rig.sshd;
  assertEquals(await ask("connection"), {
    status: 1,
    text: `Connected to ${user}@127.0.0.1 port ${port}\r\nheld by Carpool, pid ${await rig.keeperPid()}\r\n` +
      "sessions 1, passengers 1\r\n",
    left: 0,
  });
  const channels = await ask("channels");
  assertEquals([channels.status, channels.left], [1, 0]);
  assertMatch(channels.text, /^The following connections are open:\r\n {2}#\d+ session \(open\)\r\n$/);
  assertEquals((await ask("nonsense")).status, 0);
  assert(alive([session.pid]).length === 1);
});
