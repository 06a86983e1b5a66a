import { TargetError } from "../base/errors.ts";
import { FileMemory } from "./file_memory.ts";

/**
 * Who and where we are: what `%d %i %L %l %u` and `~` stand for.
 *
 * The home directory is `HOME`, and only without it the one of the account: OpenSSH asks the account alone, but a
 * Carpool with another HOME (a sandbox, a service) must find its own files.
 */
export class LocalAccount {
  readonly #environment: Readonly<Record<string, string>>;
  readonly #passwd: PasswdEntry | undefined;

  private constructor(environment: Readonly<Record<string, string>>, passwd: PasswdEntry | undefined) {
    this.#environment = environment;
    this.#passwd = passwd;
  }

  static async load(environment: Readonly<Record<string, string>>): Promise<LocalAccount> {
    const uid = ownUid();
    return new LocalAccount(environment, uid === undefined ? undefined : await findAccount(uid));
  }

  get home(): string {
    const home = this.#environment.HOME || this.#passwd?.home;
    if (!home) throw lacking("the home directory", "set HOME");
    return home.length > 1 ? home.replace(/\/+$/, "") : home;
  }

  get userName(): string {
    // An account without a passwd entry (`docker run --user 1234`) goes by what it calls itself.
    const name = this.#passwd?.name || this.#environment.USER || this.#environment.LOGNAME;
    return name || lacks("the name of the local user", "allow --allow-sys, or set USER");
  }

  get uid(): number {
    return ownUid() ?? lacks("the user id", "allow --allow-sys=uid");
  }

  /** `%l`: with the domain, where the machine knows it. */
  get hostName(): string {
    try {
      return Deno.hostname();
    } catch (cause) {
      throw lacking("the name of this machine", "allow --allow-sys=hostname", cause);
    }
  }

  /** The home directory of another account, for `~name/…`; undefined where there is no such account. */
  async homeOf(name: string): Promise<string | undefined> {
    return (await passwdEntries()).find((entry) => entry.name === name)?.home;
  }
}

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly home: string;
}

const passwd = new FileMemory(readPasswd);

function passwdEntries(): Promise<readonly PasswdEntry[]> {
  return passwd.get("/etc/passwd").catch(() => []); // other systems have none, and not every program may read it
}

async function readPasswd(path: string): Promise<readonly PasswdEntry[]> {
  const text = await Deno.readTextFile(path);
  return text.split("\n").map((line) => line.split(":")).filter((fields) => fields.length >= 6)
    .map(([name, , uid, , , home]) => ({ name, uid: Number(uid), home }));
}

async function findAccount(uid: number): Promise<PasswdEntry | undefined> {
  const entry = (await passwdEntries()).find((entry) => entry.uid === uid);
  if (entry) return entry;
  try {
    // Accounts of a directory service. Loading node:os costs milliseconds: only where the file does not tell.
    const { userInfo } = await import("node:os");
    const { username, homedir } = userInfo();
    return { name: username, uid, home: homedir };
  } catch {
    return undefined;
  }
}

/** The user id of this process; undefined where there is none or it must not be asked. */
export function ownUid(): number | undefined {
  try {
    return Deno.uid() ?? undefined;
  } catch {
    return undefined;
  }
}

/** The environment of this process; empty where it must not be read. */
export function ownEnvironment(): Record<string, string> {
  try {
    return Deno.env.toObject();
  } catch {
    return {};
  }
}

function lacks(what: string, fix: string): never {
  throw lacking(what, fix);
}

function lacking(what: string, fix: string, cause?: unknown): TargetError {
  return new TargetError("bad-config", {
    what: "Cannot resolve the destination",
    why: `${what} is not known`,
    fix,
    cause,
  });
}
