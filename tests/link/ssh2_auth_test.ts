import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { LinkError } from "../../lib/base/errors.ts";
import { ssh2 } from "../../lib/deps/ssh2.ts";
import { openLink } from "../../lib/link/open_link.ts";
import { noPrompter, type Prompter } from "../../lib/target/prompter.ts";
import { resolveTarget } from "../../lib/target/resolve.ts";
import type { TargetOptions } from "../../lib/target/target.ts";
import { openssh } from "../support/openssh.ts";
import { gone, signalProcess } from "../support/processes.ts";
import { run } from "../support/run.ts";
import { type Sshd, type SshdOptions, startSshd } from "../support/sshd.ts";
import { ScriptedPrompter } from "../target/scripted_prompter.ts";

/** Logs in to the test's server and leaves again. */
async function logIn(
  sshd: Sshd,
  prompter: Prompter,
  options: TargetOptions = {},
  destination = "test",
): Promise<void> {
  const environment = { HOME: sshd.home, USER: "caller", PATH: "/usr/bin:/bin" };
  const target = await resolveTarget(destination, { configFile: sshd.configFile, environment, ...options });
  const link = await openLink(target, { prompter });
  await link.close();
}

async function refusal(...args: Parameters<typeof logIn>): Promise<LinkError> {
  const error = await assertRejects(() => logIn(...args), LinkError);
  assertEquals([error.code, error.outcome], ["auth-failed", "not-started"], error.message);
  return error;
}

/** Makes a key in the server's client directory, and lets it in. */
async function addKey(sshd: Sshd, name: string, passphrase: string, ...args: string[]): Promise<string> {
  const path = join(sshd.dir, "client", name);
  await makeKey(path, passphrase, ...args);
  await Deno.writeTextFile(sshd.authorizedKeysFile, await Deno.readTextFile(`${path}.pub`), { append: true });
  return path;
}

async function makeKey(path: string, passphrase: string, ...args: string[]): Promise<void> {
  const tools = await openssh();
  const type = args.length > 0 ? args : ["-t", "ed25519"];
  const made = await run(tools.sshKeygen, ["-q", ...type, "-N", passphrase, "-C", "x", "-f", path], {
    env: tools.env,
  });
  assert(made.success, made.stderr);
}

/** An agent that holds these keys. */
async function startAgent(dir: string, ...keys: string[]): Promise<{ socket: string } & AsyncDisposable> {
  const tools = await openssh();
  const socket = join(dir, `agent-${crypto.randomUUID().slice(0, 8)}`);
  const child = new Deno.Command(tools.sshAgent, {
    args: ["-D", "-a", socket],
    env: { ...tools.env },
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read(); // its first words come when it listens
  await reader.cancel();
  for (const key of keys) {
    const added = await run(tools.sshAdd, ["-q", key], { env: { ...tools.env, SSH_AUTH_SOCK: socket } });
    assert(added.success, added.stderr);
  }
  return {
    socket,
    async [Symbol.asyncDispose]() {
      signalProcess(child.pid, "SIGTERM");
      await child.status;
      await gone([child.pid]);
    },
  };
}

function withServer(options: SshdOptions, body: (sshd: Sshd) => Promise<void>): () => Promise<void> {
  return async () => {
    await using sshd = await startSshd({ logLevel: "DEBUG", ...options });
    await body(sshd);
  };
}

/** The methods that the server was asked for, in order. */
function requests(sshd: Sshd): string[] {
  return [...sshd.log().matchAll(/^debug1: userauth-request for user \S+ service \S+ method (\S+)/gm)]
    .map(([, method]) => method);
}

Deno.test(
  "login offers a key at once, without asking what is allowed",
  withServer({}, async (sshd) => {
    await logIn(sshd, noPrompter);
    assertEquals(new Set(requests(sshd)), new Set(["publickey"]));
  }),
);

Deno.test(
  "login works with keys of every kind and format",
  withServer({}, async (sshd) => {
    const kinds: [string, string[]][] = [
      ["rsa", ["-t", "rsa", "-b", "2048"]],
      ["ecdsa", ["-t", "ecdsa", "-b", "384"]],
      ["rsa-pem", ["-t", "rsa", "-b", "2048", "-m", "PEM"]],
      ["rsa-pkcs8", ["-t", "rsa", "-b", "2048", "-m", "PKCS8"]],
      ["ecdsa-pkcs8", ["-t", "ecdsa", "-b", "256", "-m", "PKCS8"]],
    ];
    for (const [name, args] of kinds) {
      for (const passphrase of ["", "sesame"]) {
        const path = await addKey(sshd, `${name}-${passphrase}`, passphrase, ...args);
        // The configuration's own key would let us in too.
        await logIn(sshd, new ScriptedPrompter("sesame"), { configFile: await ownConfig(sshd, path) });
        assertMatch(sshd.log(), new RegExp(`Accepted (key|publickey)`));
      }
    }
  }),
);

/** The server's configuration with another key alone. */
async function ownConfig(sshd: Sshd, ...keys: string[]): Promise<string> {
  const text = (await Deno.readTextFile(sshd.configFile)).split("\n").filter((line) =>
    !/IdentityFile/.test(line)
  );
  const path = join(sshd.dir, "client", `config-${crypto.randomUUID().slice(0, 8)}`);
  const lines = keys.length > 0 ? keys.map((key) => `IdentityFile ${key}`) : ["IdentityFile none"];
  await Deno.writeTextFile(path, [...lines, ...text].join("\n"), { mode: 0o600 });
  return path;
}

Deno.test(
  "login asks for a passphrase once, and only for the key that the server wants",
  withServer({}, async (sshd) => {
    const unwanted = join(sshd.dir, "client", "unwanted");
    await makeKey(unwanted, "other");
    const wanted = await addKey(sshd, "wanted", "sesame");
    const prompter = new ScriptedPrompter("wrong", "sesame");
    await logIn(sshd, prompter, { configFile: await ownConfig(sshd, unwanted, wanted) });
    assertEquals(prompter.asked, [
      { kind: "secret", prompt: `Enter passphrase for key '${wanted}': ` },
      { kind: "secret", prompt: `Bad passphrase, try again. Enter passphrase for key '${wanted}': ` },
    ]);
  }),
);

Deno.test(
  "login gives a key up after three wrong passphrases, and says so",
  withServer({}, async (sshd) => {
    const key = await addKey(sshd, "locked", "sesame");
    const configFile = await ownConfig(sshd, key);
    const prompter = new ScriptedPrompter("a", "b", "c", "sesame");
    const error = await refusal(sshd, prompter, { configFile });
    assertEquals(prompter.asked.length, 3);
    assertMatch(
      error.message,
      /tried publickey \S+locked, \S+locked not used: the passphrase was wrong; the server allows publickey/,
    );
    const empty = await refusal(sshd, new ScriptedPrompter(""), { configFile });
    assertMatch(empty.message, /its passphrase was not given/);
    const silent = await refusal(sshd, noPrompter, { configFile });
    assertMatch(
      silent.message,
      /locked not used: it is encrypted and there is nobody to ask.*; load the key into an agent/,
    );
    const batch = new ScriptedPrompter("sesame");
    await refusal(sshd, batch, { configFile, batchMode: true });
    assertEquals(batch.asked, []);
  }),
);

Deno.test(
  "login goes on with the next key when one is given up",
  withServer({}, async (sshd) => {
    const locked = await addKey(sshd, "locked", "sesame");
    const open = await addKey(sshd, "open", "");
    await logIn(sshd, new ScriptedPrompter("", "never asked"), {
      configFile: await ownConfig(sshd, locked, open),
    });
  }),
);

Deno.test(
  "login uses the agent, whose keys come before files",
  withServer({}, async (sshd) => {
    const inAgent = await addKey(sshd, "in-agent", "");
    const other = join(sshd.dir, "client", "other");
    await makeKey(other, "");
    await using agent = await startAgent(join(sshd.dir, "client"), other, inAgent);
    const configFile = await ownConfig(sshd);
    const options = { configFile, identitiesOnly: false, identityAgent: agent.socket };
    await logIn(sshd, noPrompter, options);
    // With IdentitiesOnly only the keys that files name count: their public halves are enough.
    await Deno.remove(inAgent);
    await logIn(sshd, noPrompter, {
      ...options,
      configFile: await ownConfig(sshd, inAgent),
      identitiesOnly: true,
    });
    await logIn(sshd, noPrompter, {
      ...options,
      configFile: await ownConfig(sshd, `${inAgent}.pub`),
      identitiesOnly: true,
    });
    const error = await refusal(sshd, noPrompter, { ...options, identitiesOnly: true });
    assertMatch(
      error.message,
      /tried nothing: there is no key, and nobody to ask; the server allows publickey/,
    );
  }),
);

Deno.test(
  "login works with an RSA key of the agent",
  withServer({}, async (sshd) => {
    const key = await addKey(sshd, "rsa", "", "-t", "rsa", "-b", "2048");
    await using agent = await startAgent(join(sshd.dir, "client"), key);
    await logIn(sshd, noPrompter, {
      configFile: await ownConfig(sshd),
      identitiesOnly: false,
      identityAgent: agent.socket,
    });
  }),
);

Deno.test(
  "login names agent keys by their fingerprint, and an agent that does not answer",
  withServer({}, async (sshd) => {
    const other = join(sshd.dir, "client", "other");
    await makeKey(other, "");
    await using agent = await startAgent(join(sshd.dir, "client"), other);
    const configFile = await ownConfig(sshd);
    const options = { configFile, identitiesOnly: false };
    const error = await refusal(sshd, noPrompter, { ...options, identityAgent: agent.socket });
    assertMatch(
      error.message,
      /tried agent key SHA256:\S+; the server allows publickey; check the user name/,
    );
    const gone = await refusal(sshd, noPrompter, { ...options, identityAgent: "/no/such/socket" });
    assertMatch(gone.message, /agent \/no\/such\/socket not used: /);
  }),
);

Deno.test(
  "login does not use a key file that others may read",
  withServer({}, async (sshd) => {
    const key = await addKey(sshd, "open", "");
    await Deno.chmod(key, 0o644);
    const prompter = new ScriptedPrompter();
    const error = await refusal(sshd, prompter, { configFile: await ownConfig(sshd, key) });
    assertMatch(error.message, /its permissions 0644 are too open: chmod 600/);
    assertMatch(prompter.notices.join(), /too open/);
  }),
);

Deno.test(
  "login says which named key is missing, and nothing of defaults that are",
  withServer({}, async (sshd) => {
    const missing = await refusal(sshd, noPrompter, { configFile: await ownConfig(sshd, "/no/such/key") });
    assertMatch(missing.message, /\/no\/such\/key not used: there is no such file/);
    const text = (await Deno.readTextFile(sshd.configFile)).replace(/.*IdentityFile.*\n/, "");
    const configFile = join(sshd.dir, "client", "defaults");
    await Deno.writeTextFile(configFile, text);
    const defaults = await refusal(sshd, noPrompter, { configFile });
    assertEquals(/id_rsa|id_ed25519/.test(defaults.message), false, defaults.message);
  }),
);

Deno.test(
  "login asks for a password as often as allowed, never in batch mode, and keeps it out of messages",
  withServer({ password: "sesame" }, async (sshd) => {
    const configFile = await ownConfig(sshd);
    const right = new ScriptedPrompter("wrong", "sesame");
    await logIn(sshd, right, { configFile });
    assertEquals(right.asked.map(({ kind }) => kind), ["secret", "secret"]);
    assertMatch(right.asked[0].prompt, /^tester@127\.0\.0\.1's password: $/);

    const wrong = new ScriptedPrompter("s3cret1", "s3cret2", "s3cret3", "sesame");
    const error = await refusal(sshd, wrong, { configFile });
    assertEquals(wrong.asked.length, 3);
    assertMatch(error.message, /tried password, password, password; the server allows publickey, password/);
    assertEquals(error.message.includes("s3cret"), false);

    const none = new ScriptedPrompter(null);
    await refusal(sshd, none, { configFile });
    assertEquals(none.asked.length, 1);

    const batch = new ScriptedPrompter("sesame");
    assertMatch((await refusal(sshd, batch, { configFile, batchMode: true })).message, /leave out BatchMode/);
    assertEquals(batch.asked, []);

    const keysOnly = { configFile, configLines: ["PasswordAuthentication=no"] };
    await refusal(sshd, new ScriptedPrompter("sesame"), keysOnly);
  }),
);

Deno.test(
  "login does not ask for a password that the server would not take",
  withServer({}, async (sshd) => {
    const prompter = new ScriptedPrompter("sesame");
    const error = await refusal(sshd, prompter, { configFile: await ownConfig(sshd) });
    assertEquals(prompter.asked, []);
    assertMatch(error.message, /the server allows publickey/);
  }),
);

Deno.test(
  "login gives a server that wants two things both, by file and by agent",
  withServer({ password: "sesame", config: ["AuthenticationMethods publickey,password"] }, async (sshd) => {
    await logIn(sshd, new ScriptedPrompter("sesame"));
    await using agent = await startAgent(join(sshd.dir, "client"), sshd.identityFile);
    const configFile = await ownConfig(sshd);
    await logIn(sshd, new ScriptedPrompter("sesame"), {
      configFile,
      identitiesOnly: false,
      identityAgent: agent.socket,
    });
    const error = await refusal(sshd, new ScriptedPrompter("x", "y", "z"));
    assertMatch(error.message, /the server took publickey and wants more; the server allows password/);
  }),
);

Deno.test(
  "login gives a server that wants two keys both",
  withServer({ config: ["AuthenticationMethods publickey,publickey"] }, async (sshd) => {
    const second = await addKey(sshd, "second", "");
    await logIn(sshd, noPrompter, { configFile: await ownConfig(sshd, sshd.identityFile, second) });
  }),
);

Deno.test(
  "login that tries too many keys says how to try fewer",
  withServer({ config: ["MaxAuthTries 2"] }, async (sshd) => {
    const keys = ["a", "b", "c"].map((name) => join(sshd.dir, "client", name));
    for (const key of keys) await makeKey(key, "");
    const error = await refusal(sshd, noPrompter, { configFile: await ownConfig(sshd, ...keys) });
    assertMatch(
      error.message,
      /Too many authentication failures; tried publickey .*; set IdentitiesOnly yes/,
    );
  }),
);

Deno.test(
  "login through a jump host is done at both, each with its own target",
  withServer({ hosts: ["127.0.0.1", "127.0.0.2"] }, async (sshd) => {
    await logIn(sshd, noPrompter, { proxyJump: "test2" }, "test1");
    assertEquals(sshd.connections(), 2);
    const error = await refusal(sshd, noPrompter, { proxyJump: "nobody@test2" }, "test1");
    assertMatch(error.message, /nobody@127\.0\.0\.2/);
  }),
);

/** A server of ssh2's own, for what sshd does only with PAM. */
async function dialogueServer(handle: (context: Context) => void): Promise<{ port: number } & Disposable> {
  const pair = ssh2.utils.generateKeyPairSync("ed25519");
  const server = new ssh2.Server({ hostKeys: [pair.private] }, (client: Client) => {
    client.on("authentication", handle);
    client.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: server.address().port, [Symbol.dispose]: () => server.close() };
}

interface Client {
  on(event: "authentication", listener: (context: Context) => void): void;
  on(event: "error", listener: () => void): void;
}
interface Context {
  readonly method: string;
  accept(): void;
  reject(methods?: string[], partial?: boolean): void;
  prompt(
    prompts: readonly { readonly prompt: string; readonly echo: boolean }[],
    title: string,
    instructions: string,
    answered: (answers: string[]) => void,
  ): void;
}

function dialogueTarget(port: number, options: TargetOptions = {}) {
  return resolveTarget(`me@127.0.0.1:${port}`, {
    configFile: "none",
    environment: { HOME: "/nonexistent" },
    userKnownHostsFile: "none",
    strictHostKeyChecking: "no",
    ...options,
  });
}

Deno.test("login answers a dialogue, with what the server says made harmless", async () => {
  let answers: string[] = [];
  using server = await dialogueServer((context) => {
    if (context.method !== "keyboard-interactive") return context.reject(["keyboard-interactive"]);
    const prompts = [{ prompt: "Code\x1b[2J: ", echo: true }, { prompt: "PIN: ", echo: false }];
    context.prompt(prompts, "Two factors", "Look at\x07 your token", (given) => {
      answers = given;
      context.accept();
    });
  });
  const prompter = new ScriptedPrompter("123", "456");
  const link = await openLink(await dialogueTarget(server.port), { prompter });
  await link.close();
  assertEquals(answers, ["123", "456"]);
  assertEquals(prompter.asked, [
    { kind: "line", prompt: "(me@127.0.0.1) Code: " },
    { kind: "secret", prompt: "(me@127.0.0.1) PIN: " },
  ]);
  assertEquals(prompter.notices.slice(-2), ["Two factors", "Look at your token"]);
});

Deno.test("login stops a dialogue that nobody answers, and one that goes on for ever", async () => {
  let rounds = 0;
  using server = await dialogueServer((context) => {
    if (context.method !== "keyboard-interactive") return context.reject(["keyboard-interactive"]);
    rounds++;
    context.prompt(
      [{ prompt: "Again: ", echo: false }],
      "",
      "",
      () => context.reject(["keyboard-interactive"]),
    );
  });
  const target = await dialogueTarget(server.port);
  const stubborn = new ScriptedPrompter("a", "b", "c", "d", "e");
  const error = await assertRejects(() => openLink(target, { prompter: stubborn }), LinkError);
  assertEquals([error.code, rounds], ["auth-failed", 3]);
  const tired = new ScriptedPrompter(null);
  await assertRejects(() => openLink(target, { prompter: tired }), LinkError);
  assertEquals([tired.asked.length, rounds], [1, 4]);
});

Deno.test("login to a server that is never content ends", async () => {
  let attempts = 0;
  using server = await dialogueServer((context) => {
    attempts++;
    context.reject(["password"], true);
  });
  const prompter = new ScriptedPrompter(...new Array(500).fill("x"));
  const target = await dialogueTarget(server.port, { configLines: ["NumberOfPasswordPrompts=400"] });
  const error = await assertRejects(() => openLink(target, { prompter }), LinkError);
  assertEquals(error.code, "auth-failed");
  assert(attempts <= 100);
});

Deno.test("login to a server that offers only what OpenSSH has says so", async () => {
  using server = await dialogueServer((context) => context.reject(["gssapi-with-mic", "hostbased"]));
  const target = await dialogueTarget(server.port);
  const error = await assertRejects(() => openLink(target, { prompter: noPrompter }), LinkError);
  assertMatch(error.message, /the server allows gssapi-with-mic, hostbased; .*openssh/);
});

Deno.test("login is ended by its signal while it waits for an answer", async () => {
  using server = await dialogueServer((context) => {
    if (context.method === "password") context.accept();
    else context.reject(["password"]);
  });
  const controller = new AbortController();
  const prompter: Prompter = {
    ...noPrompter,
    interactive: true,
    secret: (_prompt, signal) =>
      new Promise((_resolve, reject) => {
        signal!.addEventListener("abort", () => reject(signal!.reason), { once: true });
        controller.abort(new DOMException("enough", "AbortError"));
      }),
  };
  const target = await dialogueTarget(server.port);
  const opening = openLink(target, { prompter, signal: controller.signal });
  assertEquals(await opening.catch((error) => error.message), "enough");
});
