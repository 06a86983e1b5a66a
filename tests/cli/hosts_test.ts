import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { startSshd } from "../support/sshd.ts";
import { TempHome } from "../support/temp_home.ts";
import { carpool } from "./carpool.ts";

const INVENTORY = `
groups:
  web:
    hosts: ["web[01-03]"]
    user: deploy
    vars: { role: web, db_password: hunter2, nested: { api_token: t0k3n, port: 80 } }
  berlin: { hosts: [web01, db1], vars: { city: Berlin } }
`;

/** Runs `carpool hosts` in a folder with that inventory and this ssh_config. */
async function hosts(args: readonly string[], config = "") {
  await using home = await TempHome.make();
  await home.write("work/inventory.yaml", INVENTORY);
  await home.write(".ssh/config", config);
  await home.write(".ssh/more.d/one", "Host more1 more2\n  Port 2022\n");
  return await carpool(["hosts", ...args], { cwd: join(home.path, "work"), env: home.env, clearEnv: true });
}

const names = async (args: readonly string[], config?: string) => {
  const { code, stdout, stderr } = await hosts([...args, "--output", "json"], config);
  assertEquals([code, stderr], [0, ""]);
  return (JSON.parse(stdout) as { name: string }[]).map(({ name }) => name).join(" ");
};

Deno.test("carpool hosts --output json tells groups, variables and connection options, and no secrets", async () => {
  const { code, stdout, stderr } = await hosts(["@web&@berlin", "--output", "json"]);
  assertEquals([code, stderr], [0, ""]);
  assertEquals(JSON.parse(stdout), [{
    ...{ name: "web01", host: "web01", user: "deploy", port: 22, via: null },
    group: "web",
    groups: ["web", "berlin"],
    options: { user: "deploy" },
    vars: { role: "web", db_password: "…", nested: { api_token: "…", port: 80 }, city: "Berlin" },
  }]);
});

Deno.test("carpool hosts shows a line for each host, with its groups", async () => {
  const { stdout } = await hosts(["web,db1,!web02"]);
  const [head, ...lines] = stdout.trimEnd().split("\n");
  assertMatch(head!, /^name +host +user +port +via +groups$/);
  assertEquals(lines.length, 3);
  assertMatch(lines[0]!, /^web01 +web01 +deploy +22 +- +web berlin$/);
  assertMatch(lines[2]!, /^db1 +db1 +\S+ +22 +- +berlin$/);
});

Deno.test("carpool hosts knows the aliases of ssh_config, of included files too, and no patterns", async () => {
  const config =
    "Include more.d/*\nHost alias1 alias2 *.example.com !not\n  User x\nMatch host z\n  User y\nHost *\n  Port 23\n";
  assertEquals(await names(["@ssh_config"], config), "more1 more2 alias1 alias2");
  assertEquals(await names(["alias*,!alias1"], config), "alias2");
  assertEquals(await names(["all", "--inventory", "ssh_config"], config), "more1 more2 alias1 alias2");
  assertEquals(await names(["all"], config), "web01 web02 web03 db1");
});

Deno.test("a pattern that no host matches is a mistake of every command, and nothing is done", async () => {
  for (
    const args of [
      ["hosts", "web01!web01"],
      ["hosts", "--output", "json", "web01!web01"],
      ["hosts", "@ssh_config"],
      ["hosts", "nowhere*"],
      ["exec", "web01!web01", "--", "true"],
      ["open", "@web!@web"],
      ["doctor", "web01&db1"],
      ["copy", "inventory.yaml", "@web!@web:there"],
    ]
  ) {
    await using home = await TempHome.make();
    await home.write("work/inventory.yaml", INVENTORY);
    const options = { cwd: join(home.path, "work"), env: home.env, clearEnv: true };
    const { code, stdout, stderr } = await carpool(args, options);
    assertEquals([code, stdout], [2, ""], stderr);
    assertMatch(stderr, /^carpool: Cannot resolve the hosts: .+: it matches no (known )?host; .*\n$/);
  }
});

Deno.test("carpool hosts --limit and --exclude narrow what a pattern names", async () => {
  assertEquals(await names(["web", "--limit", "@berlin"]), "web01");
  assertEquals(await names(["all", "--exclude", "web[01-02]", "--exclude", "db1"]), "web03");
  const { code, stderr } = await hosts(["web", "--exclude", "web1"]);
  assertEquals(code, 2);
  assertStringIncludes(stderr, '"web1" is neither among the hosts nor in the inventory; did you mean web01?');
});

Deno.test("a bad inventory gets its line and column, and status 2", async () => {
  await using home = await TempHome.make();
  await home.write("inventory.yaml", "groups:\n  web: { hosts: [a], usr: x }\n");
  const { code, stderr } = await carpool(["hosts", "web"], { cwd: home.path, env: home.env, clearEnv: true });
  assertEquals(code, 2);
  assertStringIncludes(stderr, 'inventory.yaml:2:22: unknown key "usr"; did you mean "user"?');
});

Deno.test("exec, run and open reach hosts as the inventory says, whatever it is written in", async (t) => {
  await using sshd = await startSshd({ hosts: ["127.0.0.1", "127.0.0.2"] });
  await using home = await TempHome.make();
  const { port, user, identityFile } = sshd;
  const config = await home.write("config", `Host *\n  UserKnownHostsFile ${sshd.knownHostsFile}\n`);
  const ours = await home.write(
    "inventory.yaml",
    `groups:\n  two:\n    user: ${user}\n    port: ${port}\n    identityFile: ${identityFile}\n` +
      `    hosts: { a: { hostName: 127.0.0.1 }, b: { hostName: 127.0.0.2 } }\n`,
  );
  const theirs = await home.write(
    "hosts.ini",
    `[two]\na ansible_host=127.0.0.1\nb ansible_host=127.0.0.2\n[two:vars]\nansible_user=${user}\n` +
      `ansible_port=${port}\nansible_ssh_private_key_file=${identityFile}\n`,
  );
  const ssh2 = await home.write(
    "program",
    `#!/bin/sh\ncat <<'END'\n${
      JSON.stringify({
        two: {
          hosts: ["a", "b"],
          vars: { ansible_user: user, ansible_port: port, ansible_ssh_private_key_file: identityFile },
        },
        _meta: { hostvars: { a: { ansible_host: "127.0.0.1" }, b: { ansible_host: "127.0.0.2" } } },
      })
    }\nEND\n`,
    0o700,
  );
  const options = { cwd: home.path, env: home.env, clearEnv: true };
  const F = ["-F", config, "--no-share"];
  for (const inventory of [ours, theirs, ssh2]) {
    const more = [...F, "--inventory", inventory];
    await t.step(inventory.slice(home.path.length + 1), async () => {
      const all = await carpool(["exec", ...more, "@two", "--", "echo", "$SSH_CONNECTION"], options);
      assertEquals(all.code, 0, all.stderr);
      const lines = all.stdout.trimEnd().split("\n").sort();
      assertMatch(lines[0]!, new RegExp(`^a: .* 127.0.0.1 ${port}$`));
      assertMatch(lines[1]!, new RegExp(`^b: .* 127.0.0.2 ${port}$`));
      const one = await carpool(["exec", ...more, "two!a", "--", "echo", "$SSH_CONNECTION"], options);
      assertMatch(one.stdout, new RegExp(` 127.0.0.2 ${port}\n$`), one.stderr);
      await home.write(
        "t.yaml",
        "hosts: ['@two']\nsteps:\n  - exec: touch ran-on-$(echo $SSH_CONNECTION | cut -d' ' -f3)\n",
      );
      const run = await carpool(["run", "./t.yaml", ...more, "--exclude", "a"], options);
      assertEquals(run.code, 0, run.stderr);
      const made = [...Deno.readDirSync(sshd.home)].map(({ name }) => name);
      assert(made.includes("ran-on-127.0.0.2") && !made.includes("ran-on-127.0.0.1"), made.join());
      await Deno.remove(join(sshd.home, "ran-on-127.0.0.2"));
    });
  }
});
