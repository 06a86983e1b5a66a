import * as v from "./config_values.ts";

/**
 * What Carpool does with a keyword of ssh_config(5).
 *
 * - `honoured`: it is in the Target, or already did its work while the configuration was read.
 * - `harmless`: it does not change what a connection of Carpool means.
 * - `warned`: Carpool does not do it, and says so, unless the value is one of `quiet`.
 * - `needs-openssh`: the connection needs the installed `ssh`, unless the value is one of `quiet`.
 */
export type Disposition = "honoured" | "harmless" | "warned" | "needs-openssh";

export interface Keyword {
  /** As ssh_config(5) writes it. */
  readonly name: string;
  readonly disposition: Disposition;
  readonly read: v.ReadValue;
  /** Every line counts; otherwise the first one does. */
  readonly collects: boolean;
  /** Values (of the first argument) at which nothing is lost. */
  readonly quiet: readonly string[];
  /** What is lost, for the warning. */
  readonly loss: string;
}

const table = new Map<string, Keyword>();

type Names = string | readonly string[];

function add(names: Names, disposition: Disposition, read: v.ReadValue, more: Partial<Keyword> = {}): void {
  const [name, ...aliases] = typeof names === "string" ? [names] : names;
  const keyword = { name, disposition, read, collects: false, quiet: [], loss: "", ...more };
  for (const spelling of [name, ...aliases]) table.set(spelling.toLowerCase(), keyword);
}
const honoured = (names: Names, read: v.ReadValue, more?: Partial<Keyword>) =>
  add(names, "honoured", read, more);
const harmless = (names: Names, read: v.ReadValue, more?: Partial<Keyword>) =>
  add(names, "harmless", read, more);
const warned = (names: Names, read: v.ReadValue, loss: string, quiet: readonly string[] = ["no", "none"]) =>
  add(names, "warned", read, { loss, quiet });
const needsOpenSsh = (
  names: Names,
  read: v.ReadValue,
  loss: string,
  quiet: readonly string[] = ["no", "none"],
) => add(names, "needs-openssh", read, { loss, quiet });

// What selects the lines that count; done by the reader of the files.
for (const name of ["Host", "Match", "Include"]) honoured(name, v.anything);
honoured("IgnoreUnknown", v.text);
honoured("Tag", v.text);
honoured("RefuseConnection", v.text);

// Where to.
honoured("HostName", v.text);
honoured("Port", v.port);
honoured("User", v.text);
honoured("AddressFamily", v.choice("any", "inet", "inet6"));
honoured("BindAddress", v.text);
needsOpenSsh("BindInterface", v.text, "the connection cannot be bound to an interface");
honoured("ConnectTimeout", v.time);
honoured("ConnectionAttempts", v.integer);
honoured(["TCPKeepAlive", "KeepAlive"], v.flag);
honoured("ProxyJump", v.command);
honoured("ProxyCommand", v.command);
honoured("ProxyUseFdpass", v.flag);
honoured("CanonicalizeHostname", v.flagOr("always"));
honoured("CanonicalDomains", v.words);
honoured("CanonicalizeMaxDots", v.integer);
honoured("CanonicalizeFallbackLocal", v.flag);
honoured("CanonicalizePermittedCNAMEs", v.words);
harmless("IPQoS", v.words);

// Who we are.
honoured(["IdentityFile", "IdentityFile2"], v.text, { collects: true });
honoured("IdentitiesOnly", v.flag);
honoured("IdentityAgent", v.agentPath);
honoured("CertificateFile", v.text, { collects: true });
honoured("ForwardAgent", v.forwardAgent);
honoured(["PubkeyAuthentication", "DSAAuthentication"], v.flagOr("unbound", "host-bound"));
honoured("PasswordAuthentication", v.flag);
honoured(
  [
    "KbdInteractiveAuthentication",
    "ChallengeResponseAuthentication",
    "SKeyAuthentication",
    "TISAuthentication",
  ],
  v.flag,
);
warned("KbdInteractiveDevices", v.text, "the server chooses the devices itself");
honoured("PreferredAuthentications", v.text);
honoured("NumberOfPasswordPrompts", v.integer);
honoured("BatchMode", v.flag);
honoured(["PubkeyAcceptedAlgorithms", "PubkeyAcceptedKeyTypes"], v.algorithms);
warned("HostbasedAuthentication", v.flag, "host-based authentication is not tried");
harmless(["HostbasedAcceptedAlgorithms", "HostbasedKeyTypes"], v.algorithms);
harmless("EnableSSHKeysign", v.flag);
warned("AddKeysToAgent", v.addKeysToAgent, "keys are not added to the agent");
needsOpenSsh(["PKCS11Provider", "SmartcardDevice"], v.text, "keys on PKCS#11 tokens");
harmless("SecurityKeyProvider", v.text);
// Without it the other methods are tried; where only GSSAPI is left, the target says that it needs OpenSSH.
honoured("GSSAPIAuthentication", v.flag);
harmless("GSSAPIDelegateCredentials", v.flag);
// Of the GSSAPI key-exchange patch that Debian, Fedora and others carry.
harmless("GSSAPIKeyExchange", v.flag);
harmless("GSSAPIRenewalForcesRekey", v.flag);
harmless("GSSAPITrustDns", v.flag);
for (const name of ["GSSAPIClientIdentity", "GSSAPIServerIdentity", "GSSAPIKexAlgorithms"]) {
  harmless(name, v.text);
}

// Whom we trust.
honoured("StrictHostKeyChecking", v.flagOr("ask", "accept-new", ["off", "no"]));
honoured("UserKnownHostsFile", v.words);
honoured("GlobalKnownHostsFile", v.words);
honoured("HostKeyAlias", v.text);
honoured("HashKnownHosts", v.flag);
honoured("RevokedHostKeys", v.words);
honoured("NoHostAuthenticationForLocalhost", v.flag);
honoured("RequiredRSASize", v.integer);
warned("CheckHostIP", v.flag, "the key is checked for the name, not for the address too");
warned("VerifyHostKeyDNS", v.flagOr("ask"), "keys are not looked up in DNS");
needsOpenSsh("KnownHostsCommand", v.command, "host keys that a command prints");
warned("UpdateHostKeys", v.flagOr("ask"), "new keys of a known host are not learned");
harmless("CASignatureAlgorithms", v.algorithms);
harmless("FingerprintHash", v.choice("md5", "sha256"));
harmless("VisualHostKey", v.flag);

// How it is spoken.
honoured("Ciphers", v.algorithms);
honoured("MACs", v.algorithms);
honoured("KexAlgorithms", v.algorithms);
honoured("HostKeyAlgorithms", v.algorithms);
warned("Compression", v.flag, "the connection is not compressed");
honoured("RekeyLimit", v.rekeyLimit);
honoured("ServerAliveCountMax", v.integer);
// The two old names are Debian's.
honoured(["ServerAliveInterval", "ProtocolKeepAlives", "SetupTimeOut"], v.time);
harmless("VersionAddendum", v.anything);
harmless("WarnWeakCrypto", v.flagOr("no-pq-kex"));
harmless("ObscureKeystrokeTiming", v.text);

// What rides on it.
honoured("SendEnv", v.sendEnv, { collects: true });
honoured("SetEnv", v.setEnv);
honoured("RequestTTY", v.flagOr("force", "auto"));
honoured("ControlMaster", v.flagOr("auto", "ask", "autoask"));
honoured("ControlPath", v.text);
honoured("ControlPersist", v.controlPersist);
honoured("ClearAllForwardings", v.flag);
for (const name of ["LocalForward", "RemoteForward", "DynamicForward"]) {
  add(name, "warned", v.forward, {
    loss: "it is not opened: use carpool forward",
    quiet: [],
    collects: true,
  });
}
warned("ForwardX11", v.flag, "X11 is not forwarded");
for (const name of ["ForwardX11Trusted", "GatewayPorts", "StreamLocalBindUnlink"]) harmless(name, v.flag);
harmless("ForwardX11Timeout", v.time);
harmless("XAuthLocation", v.text);
harmless("ExitOnForwardFailure", v.flag);
harmless("StreamLocalBindMask", v.text);
harmless("PermitRemoteOpen", v.words);
warned("ChannelTimeout", v.words, "idle channels are not closed");
const tunnels = v.flagOr("ethernet", "point-to-point");
warned("Tunnel", tunnels, "no tunnel device is opened");
harmless("TunnelDevice", v.text);
// LocalCommand alone does nothing: PermitLocalCommand is what lets it run.
warned("PermitLocalCommand", v.flag, "LocalCommand is not run");
harmless("LocalCommand", v.command);
warned("RemoteCommand", v.command, "it is not run: Carpool runs the commands it is given");

// The manners of the ssh program itself.
harmless("SessionType", v.choice("none", "subsystem", "default"));
for (const name of ["StdinNull", "ForkAfterAuthentication", "EnableEscapeCommandline"]) {
  harmless(name, v.flag);
}
for (const name of ["EscapeChar", "LogLevel", "SyslogFacility"]) harmless(name, v.text);
harmless("LogVerbose", v.words);

// Deprecated: OpenSSH reads over them without a word.
for (
  const name of [
    ...["Protocol", "Cipher", "FallBackToRsh", "GlobalKnownHostsFile2", "RhostsAuthentication"],
    ...["UserKnownHostsFile2", "UseRoaming", "UseRsh", "UsePrivilegedPort"],
  ]
) harmless(name, v.anything);
// No longer there: OpenSSH says so and goes on.
for (
  const name of [
    ...["AFSTokenPassing", "KerberosAuthentication", "KerberosTGTPassing", "RSAAuthentication"],
    ...["RhostsRSAAuthentication", "CompressionLevel"],
  ]
) add(name, "warned", v.anything, { loss: "OpenSSH no longer has it" });

// Only Apple's ssh knows it; elsewhere it is an unknown keyword, as for OpenSSH.
if (Deno.build.os === "darwin") warned("UseKeychain", v.flag, "passphrases are not taken from the keychain");

/** Every keyword, by its name in lower case. */
export const keywords: ReadonlyMap<string, Keyword> = table;
