/** How strictly host keys are checked (ssh_config(5), StrictHostKeyChecking). */
export type StrictHostKeyChecking = "yes" | "accept-new" | "ask" | "no";

/** One hop of a ProxyJump chain, or a destination as typed: what the user named, before ssh_config is read. */
export interface Destination {
  /** As typed, for messages. */
  readonly text: string;
  /** The host part: an alias, a name, an address without brackets. */
  readonly alias: string;
  readonly user?: string;
  readonly port?: number;
}

/**
 * The options a caller may give; names are ssh_config(5)'s in camelCase. An explicit option beats ssh_config, which
 * beats the default.
 */
export interface TargetOptions {
  readonly user?: string;
  readonly port?: number;
  readonly hostName?: string;
  readonly identityFile?: string | readonly string[];
  readonly identitiesOnly?: boolean;
  /** A socket path, `SSH_AUTH_SOCK`, or `none`. */
  readonly identityAgent?: string;
  readonly forwardAgent?: boolean | string;
  /** `user@host:port[,…]` or `none`. */
  readonly proxyJump?: string;
  readonly proxyCommand?: string;
  readonly strictHostKeyChecking?: StrictHostKeyChecking | boolean;
  readonly userKnownHostsFile?: string | readonly string[];
  readonly globalKnownHostsFile?: string | readonly string[];
  readonly hostKeyAlias?: string;
  /** Seconds, as in ssh_config. */
  readonly connectTimeout?: number;
  readonly serverAliveInterval?: number;
  readonly serverAliveCountMax?: number;
  readonly ciphers?: string;
  readonly macs?: string;
  readonly kexAlgorithms?: string;
  readonly hostKeyAlgorithms?: string;
  readonly compression?: boolean;
  readonly addressFamily?: "any" | "inet" | "inet6";
  readonly bindAddress?: string;
  readonly batchMode?: boolean;
  readonly setEnv?: Readonly<Record<string, string>>;
  readonly sendEnv?: readonly string[];
  readonly controlMaster?: "auto" | "yes" | "no" | "ask" | "autoask";
  readonly controlPath?: string;
  readonly controlPersist?: string | number | boolean;
  readonly maxSessions?: number;
  /** `-F`: this file instead of the user's and the system's; `none` reads no file. */
  readonly configFile?: string;
  /** Read instead of `/etc/ssh/ssh_config`; `none`: not at all. Without effect where `configFile` is given. */
  readonly systemConfigFile?: string;
  /** `-o Keyword=value` lines, read before any file. */
  readonly configLines?: readonly string[];
  /** The environment that tokens, SSH_AUTH_SOCK and SSH_ASKPASS are read from; default: the process's own. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** A destination resolved: everything that is needed to connect, nothing left to look up in a configuration. */
export interface Target {
  readonly destination: Destination;
  /** `user@host:port`, for messages and as `Link.where`. */
  readonly where: string;
  /** The name or address to dial, after HostName and its tokens. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly addressFamily: "any" | "inet" | "inet6";
  readonly bindAddress: string | undefined;
  /** Milliseconds for the TCP connection and the handshake each; undefined: the system's own limit. */
  readonly connectTimeoutMs: number | undefined;
  readonly connectionAttempts: number;
  readonly tcpKeepAlive: boolean;

  /** Hops in order, each resolved by ssh_config itself; empty when direct. */
  readonly jumps: readonly Target[];
  /** ProxyCommand with tokens expanded, to be run by `exec sh -c`; undefined when there is none. */
  readonly proxyCommand: string | undefined;

  /** Private key files in the order to try, absolute paths; those named explicitly are marked. */
  readonly identityFiles: readonly { readonly path: string; readonly explicit: boolean }[];
  readonly certificateFiles: readonly string[];
  readonly identitiesOnly: boolean;
  /** Agent socket path; undefined: no agent. */
  readonly identityAgent: string | undefined;
  readonly forwardAgent: boolean | string;
  /** In order; the subset of publickey, keyboard-interactive, password that the configuration allows. */
  readonly authenticationMethods: readonly ("publickey" | "keyboard-interactive" | "password" | "none")[];
  readonly numberOfPasswordPrompts: number;
  readonly batchMode: boolean;

  readonly strictHostKeyChecking: StrictHostKeyChecking;
  readonly hashKnownHosts: boolean;
  readonly hostKeyAlias: string | undefined;
  /** The name the key is looked up and stored under: `host`, `[host]:port`, or the HostKeyAlias. */
  readonly hostKeyName: string;
  readonly userKnownHostsFiles: readonly string[];
  readonly globalKnownHostsFiles: readonly string[];
  /** Files of public keys that are never accepted. */
  readonly revokedHostKeysFiles: readonly string[];
  /** Keys of hosts on this machine are accepted unseen. */
  readonly noHostAuthenticationForLocalhost: boolean;
  /** RSA keys with fewer bits are refused. */
  readonly requiredRsaBits: number;

  /** Algorithm lists as configured (`+`, `-`, `^` already applied by whoever knows the defaults); undefined: default. */
  readonly ciphers: string | undefined;
  readonly macs: string | undefined;
  readonly kexAlgorithms: string | undefined;
  readonly hostKeyAlgorithms: string | undefined;
  readonly pubkeyAcceptedAlgorithms: string | undefined;
  readonly compression: boolean;
  readonly rekeyLimitBytes: number | undefined;
  readonly rekeyLimitMs: number | undefined;

  readonly serverAliveIntervalMs: number;
  readonly serverAliveCountMax: number;

  /** Variables to request on each session: SetEnv, and what SendEnv selects from the environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly requestTty: "auto" | "no" | "yes" | "force";

  readonly controlMaster: "auto" | "yes" | "no" | "ask" | "autoask";
  /** ControlPath with tokens expanded, `%C` without `%j`; undefined: none configured, or `none`. */
  readonly controlPath: string | undefined;
  /** Where another OpenSSH would have its socket for the same ControlPath: `%C` with `%j`, where that differs. */
  readonly controlPathAlternatives: readonly string[];
  /** Milliseconds a master lingers; `Infinity`: for ever; undefined: ControlPersist is not configured. */
  readonly controlPersistMs: number | undefined;

  /** The environment this target was resolved with (SSH_AUTH_SOCK, SSH_ASKPASS, what a ProxyCommand reads). */
  readonly environment: Readonly<Record<string, string>>;
  /** Settings of ssh_config that Carpool cannot honour here, in words, to be said once. */
  readonly warnings: readonly string[];
  /** Why this target needs the installed `ssh` (certificates, FIDO keys, GSSAPI, PKCS#11); empty: ssh2 can do it. */
  readonly needsOpenSsh: readonly string[];
}
