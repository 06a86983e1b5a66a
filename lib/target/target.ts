/** How strictly host keys are checked (ssh_config(5), StrictHostKeyChecking). */
export type StrictHostKeyChecking = "yes" | "accept-new" | "ask" | "no";

/** One hop of a ProxyJump chain, or a destination as typed: what the user named, before ssh_config is read. */
export interface Destination {
  /** As typed, for messages. */
  readonly text: string;
  /** The host part: an alias, a name, an address without brackets. */
  readonly alias: string;
  /** Before the `@`; undefined: ssh_config or the local account decides. */
  readonly user?: string;
  /** Behind the `:`; undefined: ssh_config decides, else 22. */
  readonly port?: number;
}

/**
 * The options a caller may give; names are ssh_config(5)'s in camelCase. An explicit option beats ssh_config, which
 * beats the default.
 */
export interface TargetOptions {
  /**
   * User: whom to log in as; default: the local account's name. A user in the destination gives way to it.
   */
  readonly user?: string;
  /** Port: default 22. A port in the destination gives way to it. */
  readonly port?: number;
  /** HostName: what to dial instead of the alias; `%h` in it is the alias. */
  readonly hostName?: string;
  /** IdentityFile: private keys to try, in this order; default: those of `~/.ssh` that exist. */
  readonly identityFile?: string | readonly string[];
  /** IdentitiesOnly: offer only the identity files, not whatever else the agent holds; default false. */
  readonly identitiesOnly?: boolean;
  /** IdentityAgent: the agent's socket path, `$NAME`, `none`, or `SSH_AUTH_SOCK` (default): the variable's value. */
  readonly identityAgent?: string;
  /** ForwardAgent: let the host use the agent; a path or `$NAME` forwards that one instead. Default false. */
  readonly forwardAgent?: boolean | string;
  /** ProxyJump: hosts to go through, `user@host:port[,…]`, or `none`. */
  readonly proxyJump?: string;
  /** ProxyCommand: a shell command whose standard input and output are the connection; or `none`. */
  readonly proxyCommand?: string;
  /**
   * StrictHostKeyChecking: what an unknown host key means; default `ask`, which refuses where nobody can
   * answer. A changed key is always refused.
   */
  readonly strictHostKeyChecking?: StrictHostKeyChecking | boolean;
  /**
   * UserKnownHostsFile: where the user's host keys are; new ones go into the first. Default
   * `~/.ssh/known_hosts`, `~/.ssh/known_hosts2`.
   */
  readonly userKnownHostsFile?: string | readonly string[];
  /** GlobalKnownHostsFile: where the system's host keys are; default `/etc/ssh/ssh_known_hosts` and `…2`. */
  readonly globalKnownHostsFile?: string | readonly string[];
  /** HostKeyAlias: the name under which the host key is looked up and stored, instead of the host's. */
  readonly hostKeyAlias?: string;
  /** ConnectTimeout: seconds, for the TCP connection and for the handshake each; default: the system's own limit. */
  readonly connectTimeout?: number;
  /**
   * ServerAliveInterval: seconds of silence after which the server is asked for a sign of life; default 0:
   * never.
   */
  readonly serverAliveInterval?: number;
  /** ServerAliveCountMax: questions without an answer after which the connection is given up; default 3. */
  readonly serverAliveCountMax?: number;
  /** Ciphers: comma-separated, most wanted first; a leading `+`, `-` or `^` changes the default list. */
  readonly ciphers?: string;
  /** MACs: message authentication codes, written like {@linkcode TargetOptions.ciphers}. */
  readonly macs?: string;
  /** KexAlgorithms: key exchange methods, written like {@linkcode TargetOptions.ciphers}. */
  readonly kexAlgorithms?: string;
  /**
   * HostKeyAlgorithms: kinds of host key to accept, written like {@linkcode TargetOptions.ciphers}; default:
   * those that known_hosts has for the host come first.
   */
  readonly hostKeyAlgorithms?: string;
  /** Compression: read and warned about; connections are not compressed. */
  readonly compression?: boolean;
  /** AddressFamily: `inet` is IPv4 alone, `inet6` IPv6 alone; default `any`. */
  readonly addressFamily?: "any" | "inet" | "inet6";
  /** BindAddress: the local address to connect from. */
  readonly bindAddress?: string;
  /** BatchMode: ask nobody anything, fail instead; default false. */
  readonly batchMode?: boolean;
  /**
   * SetEnv: variables for every session, as far as the server's AcceptEnv takes them; they win over SendEnv.
   */
  readonly setEnv?: Readonly<Record<string, string>>;
  /** SendEnv: names or patterns of local variables to send along, as far as AcceptEnv takes them. */
  readonly sendEnv?: readonly string[];
  /**
   * ControlMaster: `auto` (default) and `yes` ride the live master or start one, `no` makes a private
   * connection, `ask` and `autoask` ask before sharing.
   */
  readonly controlMaster?: "auto" | "yes" | "no" | "ask" | "autoask";
  /**
   * ControlPath: where the master's socket lies, `%` tokens expanded; `none` makes a private connection.
   * Default: in a private directory, by the full identity.
   */
  readonly controlPath?: string;
  /**
   * ControlPersist: how long an idle master stays, in seconds or as `10m`; `true` or 0: for ever, `false`:
   * not at all. Default 10 minutes.
   */
  readonly controlPersist?: string | number | boolean;
  /**
   * Sessions at a time on the connection, no more than the server's MaxSessions; the rest wait. Default 10,
   * sshd's own; a refusal lowers it.
   */
  readonly maxSessions?: number;
  /**
   * Who makes the connection: `ssh2` in this program, or the installed `ssh`, whose master is then ridden. `auto`: ssh2,
   * unless the target needs what only OpenSSH can (certificates, FIDO keys, GSSAPI, PKCS#11) and `ssh` is installed.
   */
  readonly via?: "auto" | "ssh2" | "openssh";
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
  /** What the user typed. */
  readonly destination: Destination;
  /** `user@host:port`, for messages and as `Link.where`. */
  readonly where: string;
  /** The name or address to dial, after HostName and its tokens. */
  readonly host: string;
  /** Default 22. */
  readonly port: number;
  /** Whom to log in as, tokens expanded. */
  readonly user: string;
  /** AddressFamily: IPv4 alone, IPv6 alone, or both. */
  readonly addressFamily: "any" | "inet" | "inet6";
  /** BindAddress: the local address to connect from; undefined: the system chooses. */
  readonly bindAddress: string | undefined;
  /** Milliseconds for the TCP connection and the handshake each; undefined: the system's own limit. */
  readonly connectTimeoutMs: number | undefined;
  /** ConnectionAttempts: how often to dial before giving up; at least 1. */
  readonly connectionAttempts: number;
  /** TCPKeepAlive: whether the system probes a silent connection. */
  readonly tcpKeepAlive: boolean;

  /** Hops in order, each resolved by ssh_config itself; empty when direct. */
  readonly jumps: readonly Target[];
  /** ProxyCommand with tokens expanded, to be run by `exec sh -c`; undefined when there is none. */
  readonly proxyCommand: string | undefined;

  /** Private key files in the order to try, absolute paths; those named explicitly are marked. */
  readonly identityFiles: readonly { readonly path: string; readonly explicit: boolean }[];
  /** CertificateFile: absolute paths; a target with any of them needs the installed `ssh`. */
  readonly certificateFiles: readonly string[];
  /** IdentitiesOnly: offer the identity files alone, whatever else the agent holds. */
  readonly identitiesOnly: boolean;
  /** Agent socket path; undefined: no agent. */
  readonly identityAgent: string | undefined;
  /** Whether an agent, or none, was named, instead of being taken from SSH_AUTH_SOCK. */
  readonly identityAgentIsNamed: boolean;
  /** ForwardAgent: whether the host may use the agent, or the socket of the one it may use instead. */
  readonly forwardAgent: boolean | string;
  /** In order; the subset of publickey, keyboard-interactive, password that the configuration allows. */
  readonly authenticationMethods: readonly ("publickey" | "keyboard-interactive" | "password" | "none")[];
  /** NumberOfPasswordPrompts: how often a password is asked for; default 3. */
  readonly numberOfPasswordPrompts: number;
  /** BatchMode: nobody is asked anything. */
  readonly batchMode: boolean;

  /** StrictHostKeyChecking: what an unknown host key means. */
  readonly strictHostKeyChecking: StrictHostKeyChecking;
  /** HashKnownHosts: whether a new key's host is written as a hash. */
  readonly hashKnownHosts: boolean;
  /** HostKeyAlias, in lower case; undefined: none. */
  readonly hostKeyAlias: string | undefined;
  /** The name the key is looked up and stored under: `host`, `[host]:port`, or the HostKeyAlias. */
  readonly hostKeyName: string;
  /** UserKnownHostsFile: absolute paths; a new key goes into the first. */
  readonly userKnownHostsFiles: readonly string[];
  /** GlobalKnownHostsFile: read, never written. */
  readonly globalKnownHostsFiles: readonly string[];
  /** Files of public keys that are never accepted. */
  readonly revokedHostKeysFiles: readonly string[];
  /** Keys of hosts on this machine are accepted unseen. */
  readonly noHostAuthenticationForLocalhost: boolean;
  /** RSA keys with fewer bits are refused. */
  readonly requiredRsaBits: number;

  /** Ciphers, as configured, a leading `+`, `-` or `^` still in place; undefined: the default. */
  readonly ciphers: string | undefined;
  /** MACs, as configured; undefined: the default. */
  readonly macs: string | undefined;
  /** KexAlgorithms, as configured; undefined: the default. */
  readonly kexAlgorithms: string | undefined;
  /** HostKeyAlgorithms, as configured; undefined: the default, known kinds of key first. */
  readonly hostKeyAlgorithms: string | undefined;
  /** PubkeyAcceptedAlgorithms, as configured: signatures we may log in with; undefined: the default. */
  readonly pubkeyAcceptedAlgorithms: string | undefined;
  /** Compression, as configured; connections are not compressed. */
  readonly compression: boolean;
  /** RekeyLimit: bytes after which new keys are made; undefined: the default of 1 GiB. */
  readonly rekeyLimitBytes: number | undefined;
  /** RekeyLimit: milliseconds after which new keys are made; undefined: the default of one hour. */
  readonly rekeyLimitMs: number | undefined;

  /** ServerAliveInterval in milliseconds; 0: the server is never asked. */
  readonly serverAliveIntervalMs: number;
  /** ServerAliveCountMax: unanswered questions after which the connection is given up. */
  readonly serverAliveCountMax: number;

  /** Variables to request on each session: SetEnv, and what SendEnv selects from the environment. */
  readonly env: Readonly<Record<string, string>>;
  /** RequestTTY, as configured; a terminal is asked for with the `pty` option. */
  readonly requestTty: "auto" | "no" | "yes" | "force";

  /** ControlMaster: whether the connection is shared, and whether somebody is asked first. */
  readonly controlMaster: "auto" | "yes" | "no" | "ask" | "autoask";
  /** ControlPath with tokens expanded, `%C` without `%j`; undefined: none configured, or `none`. */
  readonly controlPath: string | undefined;
  /** `ControlPath none`: the connection is not to be shared. */
  readonly controlPathIsNone: boolean;
  /** Where another OpenSSH would have its socket for the same ControlPath: `%C` with `%j`, where that differs. */
  readonly controlPathAlternatives: readonly string[];
  /** Milliseconds a master lingers; `Infinity`: for ever; undefined: ControlPersist is not configured. */
  readonly controlPersistMs: number | undefined;

  /**
   * Files and directories that this was read from, those that were looked for and are missing too: while none of them
   * changes, the same question has the same answer. Undefined where it depends on more (jump hosts, `Match exec`,
   * names that were looked up).
   */
  readonly sources: readonly string[] | undefined;
  /** The environment this target was resolved with (SSH_AUTH_SOCK, SSH_ASKPASS, what a ProxyCommand reads). */
  readonly environment: Readonly<Record<string, string>>;
  /** Settings of ssh_config that Carpool cannot honour here, in words, to be said once. */
  readonly warnings: readonly string[];
  /** Why this target needs the installed `ssh` (certificates, FIDO keys, GSSAPI, PKCS#11); empty: ssh2 can do it. */
  readonly needsOpenSsh: readonly string[];
}
