import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { commandTask, playbook } from "../../bench/peers/ansible.ts";
import { libraryWords } from "../../bench/peers/libraries.ts";
import { type Peer, PEER_IDS } from "../../bench/peers/peer.ts";
import { findPeers, pathWithSsh } from "../../bench/peers/peers.ts";
import { onHosts, onMasters, type ToolCall } from "../../bench/peers/ssh_tools.ts";
import { World } from "../../bench/world/world.ts";
import { provide } from "../support/tools.ts";

const peers = await findPeers();

/** Runs a tool in the world; answers what it printed. */
async function output(world: World, { words, env, within = [] }: ToolCall): Promise<string> {
  const [program, ...args] = [...within, ...words];
  const all = { ...world.env, PATH: await pathWithSsh(), ...env };
  return (await world.run(program, args, { env: all })).stdout;
}

/** What a peer is to do: it must leave `ok` where this can see it. */
async function proof(world: World, peer: Peer): Promise<void> {
  switch (peer.id) {
    case "scp":
    case "sftp":
    case "rsync": {
      const from = await world.home.write("sent", "ok\n");
      const ssh = ["-F", world.configFile];
      const words = peer.id === "rsync"
        ? [...peer.words, "-e", world.ssh().join(" "), from, "test1:received"]
        : peer.id === "scp"
        ? [...peer.words, ...ssh, from, "test1:received"]
        : ["/bin/sh", "-c", 'echo "put $0 received" | "$@"', from, ...peer.words, ...ssh, "-b", "-", "test1"];
      await output(world, { ...peer, words });
      assertEquals(await Deno.readTextFile(`${world.sshd.home}/received`), "ok\n");
      return;
    }
    case "pssh":
    case "pdsh":
    case "clush": {
      const lines = (text: string) => text.split("\n").filter((line) => /\bok$/.test(line)).length;
      for (const options of [[], onMasters(world)]) {
        const call = onHosts(world, peer, ["test1", "test2"], "echo ok", options);
        assertEquals(lines(await output(world, call)), 2);
      }
      return;
    }
    case "ansible":
    case "mitogen": {
      // Not in the current directory: Mitogen's is not the home.
      const { home } = world.sshd;
      const tasks = [commandTask(`touch ${home}/done-$(id -u)`), commandTask(`touch ${home}/done`)];
      const text = await output(world, await playbook(world, peer, ["test1", "test2"], tasks));
      assertStringIncludes(text, "test1 ");
      assert(!/(failed|unreachable)=[1-9]/.test(text), text);
      await Deno.stat(`${world.sshd.home}/done`);
      await Deno.stat(`${world.sshd.home}/done-${world.sshd.uid}`);
      return;
    }
    case "asyncssh":
    case "paramiko":
    case "ssh2": {
      const task = { mode: "parallel", commands: ["echo ok", "echo ok"], width: 2 } as const;
      const words = libraryWords(world, peer, ["test1"], task);
      assertEquals(JSON.parse(await output(world, { ...peer, words })), { ok: 2, failed: 0 });
    }
  }
}

for (const id of PEER_IDS) {
  const peer = peers[id];
  if ("missing" in peer) {
    Deno.test(`${id} is not to be had here, and the reason is named`, () => {
      assert(peer.missing.length > 0);
      console.error(`bench: ${id} is missing: ${peer.missing}`);
    });
    continue;
  }
  Deno.test(`${id} ${peer.version} does what it is told on a real sshd`, async () => {
    await using world = await World.start({
      hosts: ["127.0.0.1", "127.0.0.2"],
      programs: [await provide("rsync")],
    });
    await Deno.mkdir(`${world.home.path}/cm`);
    await proof(world, peer);
  });
}

Deno.test("every peer is found or named, none is dropped", () => {
  assertEquals(Object.keys(peers).sort(), [...PEER_IDS].sort());
});
