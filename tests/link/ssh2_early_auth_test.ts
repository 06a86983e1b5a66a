import { assertEquals } from "@std/assert";
import { emulateLink } from "../../lib/emulator/emulated_link.ts";
import { openLink } from "../../lib/link/open_link.ts";
import { noPrompter } from "../../lib/target/prompter.ts";
import { resolveTarget } from "../../lib/target/resolve.ts";
import { startSshd } from "../support/sshd.ts";

Deno.test("a login on OpenSSH takes four round trips, the TCP connection's among them", async () => {
  const sshd = await startSshd();
  try {
    await using link = await emulateLink({ to: { hostname: sshd.host, port: sshd.port }, rttMs: 80 });
    const target = await resolveTarget("test", {
      configFile: sshd.configFile,
      configLines: [
        `HostName=${link.hostname}`,
        `Port=${link.port}`,
        `HostKeyAlias=[${sshd.host}]:${sshd.port}`,
      ],
    });
    const counts: number[] = [];
    for (let time = 0; time < 3; time++) {
      using mark = link.mark();
      await using _connection = await openLink(target, { prompter: noPrompter });
      counts.push(mark.counters().roundTrips);
    }
    // 1 TCP, 2 versions, 3 key exchange, 4 the key with its signature.
    assertEquals(Math.min(...counts), 4);
  } finally {
    await sshd.stop();
  }
});
