import { assert, assertEquals } from "@std/assert";
import { DemoHosts } from "../../lib/cli/demo_hosts.ts";
import { runJob } from "../../lib/job/run_job.ts";
import { htmlReport } from "../../lib/report/html_report.ts";
import { ledgerOf } from "../../lib/report/ledger.ts";
import { RunRecord } from "../../lib/report/run_record.ts";

Deno.test("the ledger of a real run over slow links counts what was measured on them", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await using hosts = await DemoHosts.start(2, 30, directory);
    const steps = ["one", "two", "three"].map((word) => ({ exec: `echo ${word}` }));
    const record = new RunRecord();
    let page = "";
    const report = htmlReport({ version: "0", save: (text) => void (page = text) });
    const counted = hosts.measure();
    const options = { hosts: hosts.names, configFile: hosts.configFile, controlMaster: "no" } as const;
    for await (const event of runJob({ name: "words", steps }, options)) {
      record.apply(event);
      report.event(event);
    }
    report.close!();
    assertEquals(record.end?.status, "ok");
    const ledger = ledgerOf(record);
    assertEquals([ledger.opened, ledger.sessions, ledger.avoided], [counted().connections, 6, 4]);
    // No answer comes back over such a link in less, nor does a connection with its four round trips.
    assert([...record.hosts.values()].every(({ rttMs }) => rttMs !== undefined && rttMs >= 30));
    assert(ledger.seconds!.connect! >= 0.12, `${ledger.seconds!.connect}`);
    assert(page.includes("6 commands and copies on 2 hosts"));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
