/** No keyword of ssh_config(5) is ignored in silence. */
import { assert, assertEquals } from "@std/assert";
import { keywords } from "../../lib/target/keywords.ts";
import { openssh } from "../support/openssh.ts";
import { run } from "../support/run.ts";

/** The keywords of ssh_config(5) of OpenSSH 10.x, without those that older versions had. */
const MANUAL = `
AddKeysToAgent AddressFamily BatchMode BindAddress BindInterface CanonicalDomains CanonicalizeFallbackLocal
CanonicalizeHostname CanonicalizeMaxDots CanonicalizePermittedCNAMEs CASignatureAlgorithms CertificateFile
ChannelTimeout CheckHostIP Ciphers ClearAllForwardings Compression ConnectionAttempts ConnectTimeout ControlMaster
ControlPath ControlPersist DynamicForward EnableEscapeCommandline EnableSSHKeysign EscapeChar ExitOnForwardFailure
FingerprintHash ForkAfterAuthentication ForwardAgent ForwardX11 ForwardX11Timeout ForwardX11Trusted GatewayPorts
GlobalKnownHostsFile GSSAPIAuthentication GSSAPIDelegateCredentials HashKnownHosts Host HostbasedAcceptedAlgorithms
HostbasedAuthentication HostKeyAlgorithms HostKeyAlias Hostname IdentitiesOnly IdentityAgent IdentityFile
IgnoreUnknown Include IPQoS KbdInteractiveAuthentication KbdInteractiveDevices KexAlgorithms KnownHostsCommand
LocalCommand LocalForward LogLevel LogVerbose MACs Match NoHostAuthenticationForLocalhost NumberOfPasswordPrompts
ObscureKeystrokeTiming PasswordAuthentication PermitLocalCommand PermitRemoteOpen PKCS11Provider Port
PreferredAuthentications ProxyCommand ProxyJump ProxyUseFdpass PubkeyAcceptedAlgorithms PubkeyAuthentication
RefuseConnection RekeyLimit RemoteCommand RemoteForward RequestTTY RequiredRSASize RevokedHostKeys
SecurityKeyProvider SendEnv ServerAliveCountMax ServerAliveInterval SessionType SetEnv StdinNull StreamLocalBindMask
StreamLocalBindUnlink StrictHostKeyChecking SyslogFacility Tag TCPKeepAlive Tunnel TunnelDevice UpdateHostKeys User
UserKnownHostsFile VerifyHostKeyDNS VersionAddendum VisualHostKey WarnWeakCrypto XAuthLocation
`.trim().split(/\s+/);

Deno.test("every keyword of the manual has a disposition", () => {
  assertEquals(MANUAL.filter((name) => !keywords.has(name.toLowerCase())), []);
});

Deno.test("every keyword that ssh -G prints has a disposition", async () => {
  const tools = await openssh();
  const { stdout } = await run(tools.ssh, ["-G", "-F", "none", "host"], { env: tools.env });
  const printed = stdout.trim().split("\n").map((line) => line.split(" ")[0].toLowerCase());
  assert(printed.length > 60, "ssh printed its configuration");
  assertEquals(printed.filter((name) => !keywords.has(name)), []);
});

Deno.test("a keyword that is not honoured and not harmless says what is lost", () => {
  for (const { name, disposition, loss } of keywords.values()) {
    assertEquals(loss !== "", disposition === "warned" || disposition === "needs-openssh", name);
  }
});

Deno.test("every keyword that ssh accepts for one value is accepted by us too, and the other way round", async () => {
  // Words that stand for the value of each kind of keyword.
  const tries = [
    "yes",
    "22",
    "none",
    "10s",
    "aes128-ctr",
    "ssh-ed25519",
    "curve25519-sha256",
    "hmac-sha2-256",
    "A=b",
  ];
  const tools = await openssh();
  const { readDirective, applyDirective } = await import("../../lib/target/config_reader.ts");
  const { Settings } = await import("../../lib/target/settings.ts");
  for (const name of MANUAL) {
    if (/^(Host|Match|Include|RefuseConnection)$/i.test(name)) continue;
    const keyword = keywords.get(name.toLowerCase())!;
    for (const value of tries) {
      const line = `${name}=${value}`;
      const { success, stderr } = await run(tools.ssh, ["-G", "-F", "none", "-o", line, "host"], {
        env: tools.env,
      });
      if (/Bad configuration option|Unsupported option/i.test(stderr)) break; // not in this version
      const accepted = (() => {
        try {
          applyDirective(
            readDirective(line, "test")!,
            { where: "test", fromUser: true, active: true },
            new Settings(),
          );
          return true;
        } catch {
          return false;
        }
      })();
      // Values of what is honoured must not pass that ssh refuses; the others are not looked at as closely.
      if (success) assert(accepted, `ssh accepts ${line}, we do not`);
      else if (keyword.disposition === "honoured" && !LENIENT.has(name)) {
        assert(!accepted, `we accept ${line}, ssh does not: ${stderr}`);
      }
    }
  }
});

/** Where ssh refuses for more than the form of the value: names of algorithms and of this machine's things. */
const LENIENT = new Set([
  ...["Ciphers", "MACs", "KexAlgorithms", "HostKeyAlgorithms", "PubkeyAcceptedAlgorithms", "IdentityAgent"],
  ...[
    "CanonicalizePermittedCNAMEs",
    "CanonicalDomains",
    "ConnectionAttempts",
    "ProxyJump",
    "SetEnv",
    "HostKeyAlias",
  ],
]);
