import { assertEquals } from "@std/assert";
import { openssh } from "./openssh.ts";
import { run } from "./run.ts";
import { shell, shellNames } from "./shells.ts";
import { startSshd } from "./sshd.ts";

for (const name of shellNames) {
  Deno.test(`${name} serves as login shell`, async () => {
    await using server = await startSshd({ loginShell: await shell(name) });
    const { ssh, env } = await openssh();
    const result = await run(ssh, ["-F", server.configFile, "test", "echo 'one  two' | wc -w; cat"], {
      stdin: "fed\n",
      env,
    });
    assertEquals([result.stdout.replaceAll(" ", ""), result.stderr, result.code], ["2\nfed\n", "", 0]);
  });
}
