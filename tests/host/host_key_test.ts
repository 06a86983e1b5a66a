import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { HostKeyError } from "../../lib/base/errors.ts";
import { connect } from "../../lib/host/connect.ts";
import { noPrompter } from "../../lib/target/prompter.ts";
import { startSshd } from "../support/sshd.ts";

Deno.test("host keys of a real server with three of them", async (t) => {
  await using sshd = await startSshd({ hostKeyTypes: ["ed25519", "rsa", "ecdsa"] });
  const dir = await Deno.makeTempDir();
  const known = join(dir, "known_hosts");
  const all = (await Deno.readTextFile(sshd.knownHostsFile)).trimEnd().split("\n");
  const options = {
    configFile: sshd.configFile,
    userKnownHostsFile: known,
    share: false,
    prompter: noPrompter,
  };
  try {
    for (const type of ["ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256"]) {
      await t.step(`a host of which only the ${type} key is known raises no alarm`, async () => {
        await Deno.writeTextFile(known, `${all.filter((line) => line.includes(` ${type} `)).join("\n")}\n`);
        await using host = await connect("test", { ...options, strictHostKeyChecking: "yes" });
        assertEquals((await host.exec("echo in")).stdout, "in\n");
      });
    }
    await t.step(
      "a changed key stops, even where any key would be taken, and nothing is rewritten",
      async () => {
        const [ed25519] = all.filter((line) => line.includes(" ssh-ed25519 "));
        const changed = `${ed25519.replace(/AAAA\S+/, (key) => `${key.slice(0, -8)}AAAAAAAA`)}\n`;
        await Deno.writeTextFile(known, changed);
        for (const strictHostKeyChecking of ["yes", "ask", "accept-new", "no"] as const) {
          const error = await assertRejects(
            () => connect("test", { ...options, strictHostKeyChecking }),
            HostKeyError,
          );
          assertEquals(error.code, "changed");
          assertStringIncludes(error.message, known);
        }
        assertEquals(await Deno.readTextFile(known), changed);
      },
    );
    await t.step(
      "accept-new remembers an unknown key, and the next connection needs no question",
      async () => {
        await Deno.remove(known);
        await using _first = await connect("test", { ...options, strictHostKeyChecking: "accept-new" });
        await using _second = await connect("test", { ...options, strictHostKeyChecking: "yes" });
        assertEquals((await Deno.stat(known)).mode! & 0o777, 0o600);
      },
    );
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
