/** Names of contenders that several workloads have; those of Carpool and plain ssh beside them are the others'. */
export const SSH_ON_MASTER = "ssh, on a master that it starts";
export const SSH_ON_MASTER_CURVE = "ssh, on a master that it starts, no post-quantum kex";
export const CARPOOL_COMMAND = "carpool exec, a process for each";
export const CARPOOL_PROGRAM = "carpool as a module, through the keeper";
export const CARPOOL_PROGRAM_PRIVATE = "carpool as a module, private connection";
export const CARPOOL_PROGRAM_OPENSSH = "carpool as a module, riding ssh's master";
export const CARPOOL_RUN = "carpool run";
export const CARPOOL_RUN_OPENSSH = "carpool run, riding ssh's master";
export const CARPOOL_RUN_PRIVATE = "carpool run --no-share";

/** What a peer's line is called: its id says it, and how it is set up. */
export const PEER_NAMES = {
  scp: "scp",
  sftp: "sftp",
  rsync: "rsync",
  pssh: "pssh",
  pdsh: "pdsh",
  clush: "clush",
  ansible: "Ansible (pipelining, ControlPersist)",
  mitogen: "Ansible with Mitogen",
  asyncssh: "asyncssh",
  paramiko: "paramiko",
  ssh2: "node ssh2 (noDelay)",
} as const;
