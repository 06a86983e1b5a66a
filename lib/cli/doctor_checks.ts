import { findSsh } from "../master/openssh_master.ts";
import { checkSocketPath, places } from "../master/places.ts";
import { CarpoolError, HostKeyError } from "../base/errors.ts";
import { systemWhy } from "../base/system_why.ts";
import { knownHostLines } from "../target/known_hosts.ts";
import type { Target } from "../target/target.ts";
import type { Finding, Level } from "./doctor_finding.ts";
import type { OwnConnection, Part } from "./doctor_measure.ts";

type Add = (level: Level, about: string, says: string, fix?: string) => void;

/** Beyond what the network takes, a command that does nothing starts in less. */
const SLOW_START_MS = 150;

/** A login beyond its round trips: signatures take milliseconds, PAM and name look-ups seconds. */
const SLOW_LOGIN_MS = 500;

/** Ask for the service, offer a key, sign: what a first key that fits takes, and one for a `none` that is tried. */
const GOOD_LOGIN_ROUND_TRIPS = 4;

/** What is wrong, or could be better: on this machine first, then what the measured connection showed. */
export async function check(target: Target, own: OwnConnection): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const add: Add = (level, about, says, fix) => void findings.push({ level, about, says, fix });
  // What is wrong with the host's key is told with what is known of it.
  if (own.error && !isBadKey(own.error)) {
    add(
      "bad",
      "connection",
      [own.error.what, own.error.where, own.error.why].filter(Boolean).join(": "),
      own.error.fix,
    );
  }
  for (const warning of target.warnings) add("note", "ssh_config", warning);
  await checkHostKeys(target, own, add);
  await checkKeys(target, add);
  await checkSockets(target, add);
  await checkExchange(target, own, add);
  checkTimes(own, add);
  checkSessions(own, target, add);
  checkLiveness(target, add);
  return findings;
}

/** Whether the host shows a key that it must not have. */
function isBadKey(error: CarpoolError): boolean {
  return error instanceof HostKeyError && (error.code === "changed" || error.code === "revoked");
}

async function checkHostKeys(target: Target, { error }: OwnConnection, add: Add): Promise<void> {
  const lines = await knownHostLines(target);
  const plain = lines.filter(({ marker }) => marker === "none");
  const name = target.hostKeyName;
  if (target.strictHostKeyChecking === "no") {
    add(
      "warn",
      "host key",
      "StrictHostKeyChecking is no: an unknown key is taken from whoever answers",
      "set it to accept-new or ask",
    );
  }
  const known = plain.map(({ where, type }) => `${type} in ${where}`).join(", ");
  if (error && isBadKey(error)) {
    const found = error.code === "changed" ? `HAS CHANGED (known: ${known})` : "IS REVOKED";
    add(
      "bad",
      "host key",
      `THE KEY OF ${name} ${found}: ${error.why}\n` +
        "Nobody logged in there, and nobody will by Carpool until this is cleared up.",
      error.fix,
    );
  } else if (plain.length > 0) {
    add("ok", "host key", `${name} is known: ${known}`);
  } else if (lines.some(({ marker }) => marker === "cert-authority")) {
    add(
      "warn",
      "host key",
      `${name} is vouched for by a certificate authority, which only --via openssh checks`,
      `add the host's own key to ${target.userKnownHostsFiles[0] ?? "known_hosts"}`,
    );
  } else {
    const meaning = {
      yes: "it is refused",
      ask: "somebody is asked",
      "accept-new": "it is added",
      no: "it is added",
    };
    add(
      "warn",
      "host key",
      `${name} is in no known_hosts file; when it is met, ${meaning[target.strictHostKeyChecking]}`,
      `compare the fingerprint and accept it once: carpool open ${target.destination.text}`,
    );
  }
}

async function checkKeys(target: Target, add: Add): Promise<void> {
  for (const { path, explicit } of target.identityFiles) {
    try {
      const { mode } = await Deno.stat(path);
      if (Deno.build.os !== "windows" && mode !== null && (mode & 0o077) !== 0) {
        add("warn", "private key", `${path} can be read by others: ssh refuses it`, `chmod 600 ${path}`);
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) {
        add("warn", "private key", `${path}: ${systemWhy(error)}`);
      } else if (explicit) add("warn", "private key", `${path} is not there`, "correct IdentityFile, or -i");
    }
  }
  if (target.identityAgent === undefined) return;
  try {
    const conn = await Deno.connect({ transport: "unix", path: target.identityAgent });
    conn.close();
  } catch {
    add(
      "warn",
      "agent",
      `nobody answers at ${target.identityAgent}`,
      target.identityAgentIsNamed ? "correct IdentityAgent" : "start an agent anew, or unset SSH_AUTH_SOCK",
    );
  }
}

async function checkSockets(target: Target, add: Add): Promise<void> {
  if (Deno.build.os === "windows") return;
  let usable: string | undefined;
  for (const place of await places(target.environment)) {
    const { directory } = place;
    try {
      checkSocketPath(place.masterSocket("0".repeat(17)));
    } catch (error) {
      if (!(error instanceof CarpoolError)) throw error;
      add(
        "warn",
        "socket directory",
        `${directory}: too long for the path of a socket (${error.why})`,
        "use a shorter home, or let /run/user/<uid> be made (log in by systemd)",
      );
      continue;
    }
    try {
      const info = await Deno.lstat(directory);
      if (info.uid !== Deno.uid()) {
        add("bad", "socket directory", `${directory} belongs to somebody else`, `remove it: ${directory}`);
      } else if ((info.mode! & 0o077) !== 0) {
        add(
          "bad",
          "socket directory",
          `${directory} is open to others: nothing is shared there`,
          `chmod 700 ${directory}`,
        );
      } else usable ??= directory;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) {
        add("warn", "socket directory", `${directory}: ${systemWhy(error)}`);
      } else usable ??= `${directory} (made when it is needed)`;
    }
  }
  if (usable !== undefined) add("ok", "socket directory", usable);
  else {add(
      "bad",
      "socket directory",
      "there is none that could be used: nothing is shared between processes",
      "set HOME",
    );}
}

async function checkExchange(target: Target, own: OwnConnection, add: Add): Promise<void> {
  const ssh = await findSsh(target.environment);
  for (const reason of target.needsOpenSsh) {
    if (ssh) add("note", "OpenSSH", `the installed ssh makes the connection: ${reason}`);
    else add("bad", "OpenSSH", `${reason}, and no ssh is installed`, "install OpenSSH's client");
  }
  if (!own.agreed) return;
  const { kex, cipher, hostKey } = own.agreed;
  if (/mlkem|sntrup/.test(kex)) return add("ok", "key exchange", `${kex}, ${cipher}, ${hostKey}`);
  add(
    "note",
    "key exchange",
    `${kex}, ${cipher}, ${hostKey}: no post-quantum exchange, what is recorded today could be read one day`,
    ssh
      ? "--via openssh, where both ends have one (OpenSSH 9.0)"
      : "install OpenSSH's client and use --via openssh",
  );
}

function checkTimes(own: OwnConnection, add: Add): void {
  const rtt = own.rttMs ?? 0;
  const part = (name: Part["name"]) => own.parts.find((one) => one.name === name);
  const beyond = (one: Part | undefined) => one === undefined ? 0 : one.ms - (one.roundTrips ?? 0) * rtt;
  const rounded = (ms: number) => `${Math.round(ms)} ms`;
  const resolve = part("resolve");
  if (resolve && resolve.ms > 100) {
    add(
      "warn",
      "name",
      `finding the address took ${rounded(resolve.ms)}`,
      "set HostName to the address, or mend DNS",
    );
  }
  const login = part("log in");
  if (login && (login.roundTrips ?? 0) > GOOD_LOGIN_ROUND_TRIPS && rtt > 1) {
    add(
      "warn",
      "login",
      `it took ${login.roundTrips} round trips: keys were refused before one fitted`,
      "name the key with IdentityFile, and set IdentitiesOnly yes",
    );
  }
  if (beyond(login) > SLOW_LOGIN_MS) {
    add(
      "warn",
      "login",
      `the two ends took ${rounded(beyond(login))} beyond the network`,
      "on the host: UseDNS no, GSSAPIAuthentication no, and what PAM runs; a key with a passphrase takes its time too",
    );
  }
  const run = part("run a command");
  if (beyond(run) > SLOW_START_MS) {
    add(
      "warn",
      "shell",
      `the host takes ${rounded(beyond(run))} to run a command that does nothing`,
      "look at the start-up files of its login shell, and at what PAM opens for a session",
    );
  }
  if (own.address !== null) {
    add("ok", "Nagle's algorithm", "off: TCP_NODELAY is set (it would cost 40 ms and more a command)");
  }
}

function checkSessions({ sessions }: OwnConnection, target: Target, add: Add): void {
  if (sessions === null) return;
  if (!sessions.limited) add("ok", "MaxSessions", `at least ${sessions.open} sessions at a time`);
  else if (sessions.open <= 2) {
    add(
      "warn",
      "MaxSessions",
      `${sessions.open} at a time: commands wait for one another, and none is opened ahead of need`,
      "raise MaxSessions in the host's sshd_config (10 is its default)",
    );
  } else {
    add(
      "note",
      "MaxSessions",
      `${sessions.open} at a time: more wait their turn`,
      `nothing to do; raise MaxSessions on ${target.host} for more`,
    );
  }
}

function checkLiveness(target: Target, add: Add): void {
  if (target.serverAliveIntervalMs === 0 && (target.controlPersistMs ?? 0) === Infinity) {
    add(
      "note",
      "keepalive",
      "ControlPersist is for ever and ServerAliveInterval is 0: a firewall may forget the connection",
      "ServerAliveInterval 60",
    );
  }
}
