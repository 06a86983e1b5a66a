// Plain ssh2, as its README uses it, with TCP_NODELAY on the socket. Run by node:
// peer_ssh2.mjs FOLDER-WITH-NODE_MODULES TASK, TASK in JSON as in bench/peers/libraries.ts.
import { Buffer } from "node:buffer";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import net from "node:net";
import { performance } from "node:perf_hooks";
import process from "node:process";

const [folder, json] = process.argv.slice(2);
const { Client } = createRequire(`${folder}/package.json`)("ssh2");
const task = JSON.parse(json);
const privateKey = readFileSync(task.identityFile);
const hostKey = Buffer.from(readFileSync(task.hostKeyFile, "utf8").split(" ")[1], "base64");

function connect({ hostname, port }) {
  return new Promise((resolve, reject) => {
    const client = new Client();
    const sock = net.connect({ host: hostname, port, noDelay: true });
    client.once("ready", () => resolve(client));
    client.on("error", reject);
    client.connect({
      sock,
      username: task.user,
      privateKey,
      hostVerifier: (key) => hostKey.equals(key),
    });
  });
}

function exec(client, command) {
  return new Promise((resolve, reject) => {
    client.exec(command, (error, stream) => {
      if (error) return reject(error);
      let stdout = "";
      let status;
      stream.on("data", (data) => stdout += data);
      stream.stderr.resume();
      stream.on("exit", (code) => status = code);
      stream.on("close", () => resolve({ code: status, stdout }));
    });
  });
}

async function run(client, command) {
  const { code } = await exec(client, command);
  if (code !== 0) throw new Error(`exit status ${code}`);
}

/** `width` workers take from `items` until none is left. */
async function each(items, width, work) {
  const waiting = items[Symbol.iterator]();
  const worker = async () => {
    for (const item of waiting) await work(item);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

const sftpOf = (client) =>
  new Promise((resolve, reject) => client.sftp((error, sftp) => error ? reject(error) : resolve(sftp)));
const call = (sftp, name, ...args) =>
  new Promise((resolve, reject) =>
    sftp[name](...args, (error, value) => error ? reject(error) : resolve(value))
  );

function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
}

async function timed(count, work) {
  const samples = [];
  for (let i = 0; i < count; i++) {
    const startedAt = performance.now();
    await work();
    samples.push(performance.now() - startedAt);
  }
  return samples;
}

const modes = {
  async sequential() {
    const client = await connect(task.hosts[0]);
    for (const command of task.commands) await run(client, command);
    client.end();
  },
  async parallel() {
    const client = await connect(task.hosts[0]);
    const report = { ok: 0, failed: 0 };
    await each(task.commands, task.width, async (command) => {
      const ran = await exec(client, command).catch(() => undefined);
      if (ran?.stdout === "ok\n") report.ok++;
      else report.failed++;
    });
    client.end();
    return report;
  },
  async fleet() {
    await each(task.hosts, task.width, async (host) => {
      const client = await connect(host);
      for (const command of task.commands) await run(client, command);
      client.end();
    });
  },
  async tree() {
    const client = await connect(task.hosts[0]);
    const sftp = await sftpOf(client);
    const files = [];
    const makeDirs = async (local, remote) => {
      await call(sftp, "mkdir", remote);
      for (const name of readdirSync(local)) {
        const [from, to] = [`${local}/${name}`, `${remote}/${name}`];
        if (statSync(from).isDirectory()) await makeDirs(from, to);
        else files.push([from, to]);
      }
    };
    await makeDirs(task.local, task.remote);
    await each(files, 32, ([from, to]) => call(sftp, "fastPut", from, to));
    client.end();
  },
  async push() {
    const client = await connect(task.hosts[0]);
    await call(await sftpOf(client), "fastPut", task.local, task.remote);
    client.end();
  },
  async pull() {
    const client = await connect(task.hosts[0]);
    await call(await sftpOf(client), "fastGet", task.remote, task.local);
    client.end();
  },
  duringBulk: () =>
    shortDuring((client, flowed) =>
      client.exec(task.bulk, (error, stream) => {
        if (error) throw error;
        stream.on("data", (data) => flowed(data.length));
      })
    ),
  duringPush: () =>
    shortDuring((client, flowed) =>
      client.exec(task.bulk, (error, stream) => {
        if (error) throw error;
        const chunk = Buffer.alloc(65536);
        const write = () => {
          let room = true;
          while (room) {
            room = stream.write(chunk);
            flowed(chunk.length);
          }
        };
        stream.on("drain", write);
        write();
      })
    ),
};

/** Short commands, idle and again while `bulk` moves bytes over the same connection and says how many. */
async function shortDuring(bulk) {
  const client = await connect(task.hosts[0]);
  const one = () => run(client, "true");
  await timed(3, one);
  const idle = await timed(task.count, one);
  let bytes = 0;
  await new Promise((resolve) => {
    bulk(client, (more) => {
      bytes += more;
      if (bytes >= task.afterBytes) resolve();
    });
  });
  const [before, startedAt] = [bytes, performance.now()];
  const loaded = await timed(task.count, one);
  const bulkMBPerSecond = (bytes - before) / 1e3 / (performance.now() - startedAt);
  client.destroy();
  return {
    ...{ idleP50Ms: quantile(idle, 0.5), idleP99Ms: quantile(idle, 0.99) },
    ...{ p50Ms: quantile(loaded, 0.5), p99Ms: quantile(loaded, 0.99), bulkMBPerSecond },
  };
}

const report = await modes[task.mode]();
console.log(JSON.stringify(report ?? {}));
