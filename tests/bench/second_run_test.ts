import { assertEquals } from "@std/assert";
import { StockRig } from "../master/stock_rig.ts";

const TASK = `
name: five steps
steps:
  - exec: "true"
  - exec: echo two
  - exec: echo three
  - exec: echo four
  - exec: echo five
`;

Deno.test("a job's second run on warm hosts makes no new TCP connection", async () => {
  const hosts = ["127.0.12.1", "127.0.12.2", "127.0.12.3"];
  await using rig = await StockRig.start({ hosts });
  const task = await rig.home.write("five.yaml", TASK);
  const run = async () => {
    const words = ["run", task, "--no-fuse", "--hosts", "test1,test2,test3", "-F", rig.configFile];
    const { code, stderr, stdout } = await rig.carpool(words, { cwd: rig.home.path });
    assertEquals(code, 0, stdout + stderr);
  };
  await run();
  assertEquals([rig.sshd.connections(), rig.sshd.sessions()], [3, 15]);
  await run();
  // The same three connections, and every step was really run again.
  assertEquals([rig.sshd.connections(), rig.sshd.sessions()], [3, 30]);
});
