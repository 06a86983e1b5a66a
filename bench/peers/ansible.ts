/** Ansible as its documentation advises for speed: pipelining and ControlPersist; with Mitogen, its strategy. */
import type { World } from "../world/world.ts";
import type { Peer } from "./peer.ts";
import type { ToolCall } from "./ssh_tools.ts";

/** A playbook's task, as YAML after the dash. */
export type PlaybookTask = string;

/** One that runs a command; `raw` would do without Python on the host, and without all that Ansible is used for. */
export function commandTask(command: string): PlaybookTask {
  const module = /[;&|<>$]/.test(command) ? "shell" : "command";
  return `${module}: ${JSON.stringify(command)}`;
}

/** Writes inventory, configuration and playbook; the words that run it. */
export async function playbook(
  world: World,
  peer: Peer,
  hosts: readonly string[],
  tasks: readonly PlaybookTask[],
): Promise<ToolCall> {
  const { home } = world;
  const folder = `ansible-${peer.id}`;
  const inventory = hosts.map((host) => `${host} ansible_python_interpreter=/usr/bin/python3\n`).join("");
  const inventoryFile = await home.write(`${folder}/inventory`, inventory);
  const play = ["- hosts: all", "  gather_facts: false", "  tasks:", ...tasks.map((task) => `    - ${task}`)];
  const playFile = await home.write(`${folder}/play.yaml`, play.join("\n") + "\n");
  const mitogen = peer.paths
    ? [`strategy_plugins = ${peer.paths.strategies}`, "strategy = mitogen_linear"]
    : [];
  const config = [
    "[defaults]",
    `forks = ${Math.max(5, hosts.length)}`,
    `inventory = ${inventoryFile}`,
    // Ten seconds by default. Mitogen's own part on a host must have begun by then, and with many hosts on few cores it
    // has not: those hosts then count as unreachable.
    "timeout = 300",
    ...mitogen,
    "[ssh_connection]",
    "pipelining = True",
    `ssh_args = -F ${world.configFile} -C -o ControlMaster=auto -o ControlPersist=600s`,
    `control_path_dir = ${home.path}/cm`,
  ];
  const configFile = await home.write(`${folder}/ansible.cfg`, config.join("\n") + "\n");
  return {
    words: [...peer.words, playFile],
    env: {
      ...peer.env,
      ANSIBLE_CONFIG: configFile,
      ANSIBLE_HOME: `${home.path}/${folder}`,
      ANSIBLE_LOCAL_TEMP: `${home.path}/${folder}/tmp`,
      ANSIBLE_NOCOLOR: "1",
    },
  };
}
