import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { CarpoolError, JobFileError } from "../../lib/base/errors.ts";
import type { JobDefinition } from "../../lib/job/job.ts";
import { renderTemplate } from "../../lib/job/template.ts";
import { noPrompter } from "../../lib/target/prompter.ts";
import { LocalHost } from "./local_host.ts";
import { answering, runJobOn } from "./run_job_here.ts";

type Options = NonNullable<Parameters<typeof runJobOn>[2]>;

/** A directory with files, for one test. */
async function inDirectory<T>(files: Record<string, string>, use: (dir: string) => Promise<T>): Promise<T> {
  const dir = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.mkdir(`${dir}/${name}`.replace(/\/[^\/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(`${dir}/${name}`, text);
      if (text.startsWith("#!")) await Deno.chmod(`${dir}/${name}`, 0o755);
    }
    return await use(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const here = async (definition: JobDefinition, options: Options & { readonly path?: string } = {}) => {
  const path: Record<string, string> = options.path === undefined
    ? {}
    : { PATH: `${options.path}:${Deno.env.get("PATH")}` };
  const host = new LocalHost(path);
  const told = await runJobOn(definition, { local: () => host }, options);
  return { ...told, lines: host.lines };
};

Deno.test("a script runs with the interpreter of its first line, its arguments one word each, and leaves nothing", async () => {
  await inDirectory({
    "a.sh": '#!/bin/sh -eu\necho "$0" | grep -c carpool\nprintf \'<%s>\' "$@" "$GREETING"\nexit 3\n',
    "plain": "echo from plain; cat; echo end\n",
    "p.py": "#!/usr/bin/env python3\nimport sys\nprint('py', sys.argv[1:])\n",
  }, async (cwd) => {
    const tmp = await Deno.makeTempDir({ dir: cwd });
    const told = await here({
      env: { TMPDIR: tmp },
      vars: { name: "it's me" },
      steps: [
        {
          script: "a.sh",
          args: ["a b", "{{ name }}", 7],
          env: { GREETING: "hi $HOME" },
          ignoreErrors: true,
          register: "r",
        },
        { script: "plain" },
        { script: "p.py", args: ["x"] },
        { script: "plain", interpreter: "cat -n" },
        { exec: "echo {{ r.code }}" },
      ],
    }, { cwd });
    assertEquals(told.output["1"], "1\n<a b><it's me><7><hi $HOME>");
    assertEquals(told.output["2"], "from plain\nend\n");
    assertEquals(told.output["3"], "py ['x']\n");
    assertMatch(told.output["4"]!, /^\s+1\s+echo from plain/);
    assertEquals(told.output["5"], "3\n");
    assertEquals(told.ends[0], "1 failed ignored");
    assertEquals(await Array.fromAsync(Deno.readDir(tmp)), []);
  });
});

Deno.test("a script that is not there, or is no text, stops the plan", async () => {
  await inDirectory({}, async (cwd) => {
    await assertRejects(
      () => here({ steps: [{ script: "gone.sh" }] }, { cwd }),
      JobFileError,
      'script "gone.sh" does not exist',
    );
    await Deno.writeFile(`${cwd}/bin`, new Uint8Array([0xff, 0xfe, 0]));
    await assertRejects(
      () => here({ steps: [{ script: "bin" }] }, { cwd }),
      JobFileError,
      "is not UTF-8 text",
    );
  });
});

Deno.test("a template is filled in, says whether it changed anything, and keeps or gets its mode", async () => {
  await inDirectory({
    "app.conf.liquid": "port={{ port }}\n{% for w in workers %}worker {{ w }}\n{% endfor %}host={{ host }}\n",
    "target/old.conf": "old\n",
  }, async (cwd) => {
    const job: JobDefinition = {
      vars: { port: 8080, workers: ["a", "b"] },
      steps: [
        { template: "app.conf.liquid", to: `${cwd}/target/app.conf`, mode: "0640", register: "conf" },
        { exec: "echo restart", when: "conf.changed" },
        { template: "app.conf.liquid", to: `${cwd}/target/` },
        { template: "app.conf.liquid", to: "old.conf", cwd: `${cwd}/target` },
      ],
    };
    await Deno.chmod(`${cwd}/target/old.conf`, 0o604);
    const first = await here(job, { cwd });
    assertEquals(first.result.status, "ok", first.text);
    const text = "port=8080\nworker a\nworker b\nhost=local\n";
    assertEquals(await Deno.readTextFile(`${cwd}/target/app.conf`), text);
    assertEquals(await Deno.readTextFile(`${cwd}/target/app.conf.liquid`), text);
    assertEquals(await Deno.readTextFile(`${cwd}/target/old.conf`), text);
    assertEquals((await Deno.stat(`${cwd}/target/app.conf`)).mode! & 0o777, 0o640);
    assertEquals((await Deno.stat(`${cwd}/target/old.conf`)).mode! & 0o777, 0o604);
    assertEquals((await Deno.stat(`${cwd}/target/app.conf.liquid`)).mode! & 0o777, 0o644);
    assertEquals(first.output["1"], `changed ${cwd}/target/app.conf\n`);
    assertEquals(first.ends[1], "2 ok");
    const second = await here(job, { cwd });
    assertEquals(second.output["1"], `unchanged ${cwd}/target/app.conf\n`);
    assertEquals(second.ends[1], "2 skipped");
    assertEquals((await Array.fromAsync(Deno.readDir(`${cwd}/target`))).length, 3);
  });
});

Deno.test("a template of a shell script refuses a value where its quotes would not hold", () => {
  const made = (source: string, x: string) => renderTemplate(source, "t", { x }, "shell");
  const places = ['echo "{{ x }}"', "echo '{{ x }}'", "cat <<EOF\n{{ x }}\nEOF", "echo `echo {{ x }}`"];
  for (const source of places) {
    assertThrows(() => made(source, "$(s3cr3t)"), CarpoolError);
    try {
      made(source, "$(s3cr3t)");
    } catch (error) {
      assert(!String(error).includes("s3cr3t"), String(error));
    }
    assertEquals(made(source, "web1"), source.replace("{{ x }}", "web1"));
    assertEquals(
      made(source.replace("x }}", "x | raw }}"), "$(s3cr3t)"),
      source.replace("{{ x }}", "$(s3cr3t)"),
    );
  }
  assertThrows(() => made("# {{ x }}", "a\nreboot"), CarpoolError);
  assertEquals(made("# {{ x }}", "a b"), "# 'a b'");
  assertEquals(made('echo "$(cat {{ x }})"', "a b"), `echo "$(cat 'a b')"`);
});

Deno.test("values in a template are made safe for the kind of file it becomes", async () => {
  const nasty = `<b>"it's" & $(rm)</b>`;
  await inDirectory(
    { "t": "x={{ v }} {{ v | raw }} {{ v | shell }} {{ v | json }}", "s": "x={{ v }}" },
    async (cwd) => {
      const to = ["a.html", "a.sh", "a.json", "a.conf"];
      await here({
        vars: { v: nasty },
        steps: [
          { template: "s", to: `${cwd}/x.sh` },
          ...to.map((name) => ({ template: "t", to: `${cwd}/${name}` })),
          {
            template: "t",
            to: `${cwd}/b.conf`,
            escape: "shell",
          },
        ],
      }, { cwd });
      const read = async (name: string) => await Deno.readTextFile(`${cwd}/${name}`);
      assert(
        (await read("a.html")).startsWith("x=&#60;b&#62;&#34;it&#39;s&#34; &#38; $(rm)&#60;/b&#62; " + nasty),
      );
      assert((await read("a.sh")).startsWith(`x='<b>"it'\\''s" & $(rm)</b>' ${nasty}`));
      assert((await read("a.json")).startsWith(`x=${JSON.stringify(nasty)} ${nasty}`));
      assert((await read("a.conf")).startsWith(`x=${nasty} ${nasty} '<b>`));
      assertEquals(await read("b.conf"), await read("a.sh"));
      const { stdout } = await new Deno.Command("sh", {
        args: ["-c", `. ./x.sh; printf %s "$x"`],
        cwd,
      }).output();
      assertEquals(new TextDecoder().decode(stdout), nasty);
    },
  );
});

Deno.test("a mistake in a template stops the plan with its place; a template reaches no file and no prototype", async () => {
  const wrong = async (text: string) =>
    await inDirectory({ "t": text }, async (cwd) => {
      const error = await assertRejects(
        () =>
          here({ vars: { v: { value: { a: 1 } } }, steps: [{ template: "t", to: "/tmp/never" }] }, { cwd }),
        CarpoolError,
      );
      return error.message.replaceAll(`${cwd}/`, "");
    });
  assertStringIncludes(await wrong("a\n  {{ nope }}"), "Cannot fill in the template: t:2:");
  assertStringIncludes(await wrong("{{ v.constructor }}"), "undefined variable: v.constructor");
  assertStringIncludes(await wrong("{{ v.a.__proto__ }}"), "undefined variable");
  assertStringIncludes(await wrong("{% if %}"), "t:1:");
  assertStringIncludes(await wrong("{% render 't' %}"), "cannot take in another file");
  assertStringIncludes(await wrong("{% include 't' %}"), "cannot take in another file");
  assertStringIncludes(await wrong("{{ v | nofilter }}"), "undefined filter");
  assertStringIncludes(await wrong("{% for i in (1..100000000) %}{% endfor %}"), "limit");
});

Deno.test("a template that speaks of a registered result is filled in during the run", async () => {
  await inDirectory({ "t": "was {{ old.stdout }}" }, async (cwd) => {
    const told = await here({
      steps: [{ exec: "echo 41", register: "old" }, { template: "t", to: `${cwd}/out` }],
    }, { cwd });
    assertEquals(told.result.status, "ok", told.text);
    assertEquals(await Deno.readTextFile(`${cwd}/out`), "was 41");
  });
});

Deno.test("wait goes on when the file, the port or the command is there", async () => {
  await inDirectory({}, async (cwd) => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr as Deno.NetAddr;
    (async () => {
      for await (const connection of listener) connection.close();
    })().catch(() => {});
    const told = await here({
      vars: { port },
      steps: [
        { exec: `(sleep 0.2; touch ${cwd}/there) >/dev/null 2>&1 &` },
        { wait: { file: `${cwd}/there`, interval: "50ms" } },
        { wait: { port: "127.0.0.1:{{ port }}" } },
        { wait: { command: `test -e ${cwd}/there && echo seen` } },
      ],
    });
    assertEquals(told.result.status, "ok", told.text);
    assertEquals(Object.keys(told.output), []);
  });
});

Deno.test("wait fails when its time is over, and says what was not there", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  for (const wait of [{ port: `127.0.0.1:${port}` }, { file: "/nowhere" }, { command: "exit 7" }]) {
    const told = await here({ steps: [{ wait: { ...wait, interval: "10ms" }, timeout: "300ms" }] });
    assertEquals(told.ends, ["1 failed"]);
    assertMatch(told.result.hosts[0]!.reason!, /^step 1 \(wait for [^)]+\): not within 300 ms/);
  }
});

// A `sudo` and a `su` that do what the real ones do as far as we use it: ask on standard error where there is no
// terminal, read a line of standard input byte by byte, and run the command.
const sudo = `#!/bin/sh
echo "sudo $*" >>"$LOG"
while [ $# -gt 0 ]; do
  case $1 in
    -S|-H) shift ;;
    -p) prompt=$2; shift 2 ;;
    -u) user=$2; shift 2 ;;
    --) shift; break ;;
  esac
done
[ "$user" = nobody ] && { echo "Sorry, user me is not allowed to run as nobody" >&2; exit 1; }
tries=0
while [ "$user" != free ]; do
  echo "We trust you have received the usual lecture" >&2
  printf %s "$prompt" >&2
  IFS= read -r password || { echo "sudo: no password was provided" >&2; exit 1; }
  [ "$password" = hunter2 ] && break
  tries=$((tries + 1))
  echo "Sorry, try again." >&2
  [ $tries -ge 3 ] && { echo "sudo: 3 incorrect password attempts" >&2; exit 1; }
done
BECAME=$user; export BECAME
exec "$@"
`;
const su = `#!/bin/sh
printf 'Password: ' >&2
IFS= read -r password
echo >&2
[ "$password" = hunter2 ] || { echo "su: Authentication failure" >&2; exit 1; }
BECAME=$5; export BECAME
exec "$2" "$3" "$4"
`;

async function withAccounts<T>(
  use: (
    run: (definition: JobDefinition, options?: Options) => ReturnType<typeof here>,
    dir: string,
  ) => Promise<T>,
): Promise<T> {
  return await inDirectory({
    "bin/sudo": sudo,
    "bin/su": su,
    "log": "",
    "s.sh": "echo script $BECAME $1; cat\n",
    "t": "secret {{ host }}",
  }, (dir) =>
    use((definition, options = {}) => {
      Deno.env.set("LOG", `${dir}/log`);
      return here(definition, { cwd: dir, path: `${dir}/bin`, ...options });
    }, dir));
}

Deno.test("a step as another user gets the password on its input, once for all steps, and nobody sees it", async () => {
  await withAccounts(async (run, dir) => {
    const prompter = answering("hunter2");
    const told = await run({
      steps: [
        { exec: 'echo "$BECAME" $A; pwd; cat; echo "err" >&2', user: "root", env: { A: "it's" }, cwd: dir },
        { script: "s.sh", args: ["a b"], user: "root" },
        { exec: "echo free $BECAME; cat", user: "free" },
        { template: "t", to: `${dir}/out`, user: "root", mode: "0600" },
        { copy: "s.sh", to: `${dir}/copied`, user: "root" },
        { fetch: `${dir}/out`, to: "fetched", user: "root" },
        { exec: "never", user: "root", creates: `${dir}/out` },
        { exec: "never", user: "root", unless: 'test "$BECAME" = root' },
        { wait: { command: 'test "$BECAME" = root' }, user: "root" },
        { exec: "exit 5", user: "root", ignoreErrors: true },
      ],
    }, { prompter });
    assertEquals(told.ends, [
      ...["1 ok", "2 ok", "3 ok", "4 ok", "5 ok", "6 ok", "7 skipped", "8 skipped", "9 ok"],
      "10 failed ignored",
    ], told.text);
    assertEquals(told.output["1"]!.split("\n").sort(), ["", dir, "err", "root it's"].sort());
    assertEquals(told.output["2"], "script root a b\n");
    assertEquals(told.output["3"], "free free\n");
    assertEquals(await Deno.readTextFile(`${dir}/out`), "secret local");
    assertEquals(await Deno.readTextFile(`${dir}/fetched`), "secret local");
    assertEquals(await Deno.readTextFile(`${dir}/copied`), "echo script $BECAME $1; cat\n");
    assertEquals((await Deno.stat(`${dir}/out`)).mode! & 0o777, 0o600);
    assertEquals(prompter.asked, ["Password for sudo: "]);
    assert(!told.text.includes("hunter2"));
    assert(!told.lines.some((line) => line.includes("hunter2")));
    assert(!(await Deno.readTextFile(`${dir}/log`)).includes("hunter2"));
    const ended = told.events.find((event) => event.type === "step-end" && event.step === "10");
    assertEquals(ended?.type === "step-end" && ended.code, 5);
  });
});

Deno.test("su gets the password of the other account", async () => {
  await withAccounts(async (run) => {
    const prompter = answering("hunter2");
    const told = await run({
      steps: [{ exec: "echo $BECAME; cat", user: { name: "deploy", by: "su" } }],
    }, { prompter });
    assertEquals(told.output["1"], "deploy\n", told.text);
    assertEquals(prompter.asked, ["Password of deploy for su: "]);
  });
});

Deno.test("a wrong password fails the step, is sent once, and is in no event", async () => {
  await withAccounts(async (run) => {
    for (const by of ["sudo", "su"] as const) {
      const prompter = answering("wr0ng-word", "never asked for");
      const told = await run({
        steps: [{ exec: "echo ran", user: { name: "root", by }, retries: 3 }],
      }, { prompter });
      assertEquals(told.ends, ["1 failed"]);
      assertMatch(told.result.hosts[0]!.reason!, /Cannot become root: local: /);
      assertEquals(prompter.asked.length, 1);
      assert(!told.text.includes("wr0ng-word") && !told.text.includes("ran\\n"), told.text);
    }
  });
});

Deno.test("a step as another user fails where nobody can be asked, or the account may not", async () => {
  await withAccounts(async (run) => {
    const asked = await run({ steps: [{ exec: "x", user: "root" }] }, { prompter: noPrompter });
    assertMatch(asked.result.hosts[0]!.reason!, /sudo asks for a password, and nobody is there to give it/);
    const refused = await run({ steps: [{ exec: "x", user: "nobody" }] }, { prompter: noPrompter });
    assertMatch(
      refused.result.hosts[0]!.reason!,
      /Cannot become nobody: local: Sorry, user me is not allowed/,
    );
  });
});

Deno.test("output of a command never passes for a question of sudo", async () => {
  await withAccounts(async (run) => {
    const told = await run({
      steps: [{
        exec: "echo 'Password: ' >&2; echo '[carpool x password]' >&2; cat",
        user: { name: "root", by: "su" },
      }],
    }, { prompter: answering("hunter2") });
    assertEquals(told.output["1"], "Password: \n[carpool x password]\n");
  });
});

Deno.test("whoever types a password does not run out of the step's time, and the step does", async () => {
  await withAccounts(async (run) => {
    const typed = Promise.withResolvers<string>();
    const slow = { ...answering(), secret: () => typed.promise };
    const told = await run({
      steps: [
        { exec: "echo in time", user: "root", timeout: "500ms" },
        { exec: "sleep 60", user: "root", timeout: "300ms" },
      ],
    }, {
      prompter: slow,
      onEvent: (event) =>
        event.type === "step-start" && event.step === "1" && setTimeout(() => typed.resolve("hunter2"), 900),
    });
    assertEquals(told.output["1"], "in time\n", told.text);
    const ended = told.events.find((event) => event.type === "step-end" && event.step === "2");
    assertEquals(ended?.type === "step-end" && [ended.status, ended.timedOut], ["failed", true], told.text);
  });
});
