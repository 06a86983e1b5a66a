import { assert, assertEquals } from "@std/assert";
import { connect } from "../../lib/host/connect.ts";
import { startEmbeddedHost } from "../../lib/emulator/embedded_host.ts";
import { emulateLink } from "../../lib/emulator/emulated_link.ts";

Deno.test("a host is connected to once, and a command on it costs one round trip", async () => {
  const directory = await Deno.makeTempDir({ prefix: "carpool-rt-" });
  try {
    await using server = await startEmbeddedHost();
    await using link = await emulateLink({ to: server, rttMs: 60 });
    const { identityFile, knownHostsFile } = await server.writeClientFiles(directory, link);
    await using host = await connect(`${server.user}@${link.hostname}:${link.port}`, {
      configFile: "none",
      identityFile,
      identityAgent: "none",
      userKnownHostsFile: knownHostsFile,
      globalKnownHostsFile: "none",
      strictHostKeyChecking: "yes",
      batchMode: true,
      controlMaster: "no",
    });
    // 1 TCP, 2 version, 3 key exchange, 4 the question whether the key would do, 5 its signature; a server that does not
    // say which signatures it takes (RFC 8308) costs one more, for the service.
    const login = link.counters().roundTrips;
    assert(login >= 5 && login <= 7, String(login));
    const counts: number[] = [];
    for (let i = 0; i < 5; i++) {
      using mark = link.mark();
      assertEquals((await host.exec("echo hi")).stdout, "hi\n");
      counts.push(mark.counters().roundTrips);
    }
    // The least of several, as in ssh_round_trips_test.ts.
    assertEquals(Math.min(...counts), 1, String(counts));
    // Eight at once cost two: four find a session open, the others open theirs side by side.
    using mark = link.mark();
    await Promise.all(Array.from({ length: 8 }, () => host.exec("true")));
    assert(mark.counters().roundTrips <= 4, String(mark.counters().roundTrips));
    assertEquals([server.counters().connections, link.counters().connections], [1, 1]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
