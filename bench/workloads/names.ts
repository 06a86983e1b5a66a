/** Names of contenders, the same in every workload. */
export const SSH_NEW = "ssh, new each time";
export const SSH_NEW_CURVE = "ssh, new each time, no post-quantum kex";
export const SSH_MASTER = "ssh -S on its own master";
export const CARPOOL_PRIVATE = "carpool, private connection";
export const CARPOOL_KEEPER = "carpool, riding the keeper";
export const CARPOOL_ON_OPENSSH = "carpool, riding ssh's master";
/** The link itself. */
export const PING = "a byte there and back over such a link";
export const CARPOOL_PER_COMMAND = "carpool, connection per command";

/** ssh2 has no post-quantum key exchange: the like of it for like. */
export const CURVE_OPTION = ["-o", "KexAlgorithms=curve25519-sha256"];
