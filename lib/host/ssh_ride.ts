import { MasterError } from "../base/errors.ts";
import type { Connection } from "../channel/connection.ts";
import { identityKey } from "../master/identity.ts";
import type { MasterInfo } from "../master/master.ts";
import type { Target, TargetOptions } from "../target/target.ts";

/** Files from here on are moved by the installed `ssh` where it can: for smaller ones its start is not worth it. */
export const RIDDEN_BYTES = 64 * 1024 * 1024;

/**
 * A connection that the installed `ssh` holds, and that another `ssh` can ride by its control socket: the bytes of large
 * files then go from file to socket in those processes, and none of them through this one.
 */
export interface SshRide {
  /** The installed `ssh`. */
  readonly ssh: string;
  readonly controlPath: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** Rides on connections that this process had `ssh` make. */
const own = new WeakMap<Connection, SshRide>();

/** Remembers how a connection of this process's own can be ridden. */
export function setRide(connection: Connection, ride: SshRide): void {
  own.set(connection, ride);
}

export function rideOn(connection: Connection): SshRide | undefined {
  return connection.ended === undefined ? own.get(connection) : undefined;
}

/**
 * The ride on the very master that the keeper rides for a target: OpenSSH's, at the target's ControlPath or where
 * Carpool had it made. Who answers at the socket must be the process that the keeper's connection goes through: at the
 * path of a master that was told to stop there may be another by now, logged in as somebody else. Undefined, too, where
 * that cannot be asked: a socket that this program may not open, a keeper in another place that hangs.
 */
export async function findRide(
  target: Target,
  openSsh: TargetOptions | undefined,
): Promise<SshRide | undefined> {
  const [{ listMasters }, { pidOfMaster }, { findSsh }] = await Promise.all([
    import("../master/keeper_client.ts"),
    import("../master/named_master.ts"),
    import("../master/openssh_master.ts"),
  ]);
  const { environment } = target;
  const ssh = await findSsh(environment);
  if (ssh === undefined) return undefined;
  try {
    for (const master of await listMasters({ environment })) {
      const { controlPath, pid } = master;
      if (!await isMasterOf(master, target, openSsh !== undefined)) continue;
      if (await pidOfMaster(controlPath) === pid) return { ssh, controlPath, environment };
    }
  } catch (error) {
    if (!(error instanceof MasterError)) throw error;
  }
  return undefined;
}

/**
 * Whether it is the OpenSSH master that is ridden for a target: at its ControlPath, or the one that Carpool had made for
 * this very identity. Host, port and user are not enough: another machine may go by them behind another jump host.
 */
export async function isMasterOf(
  { kind, host, user, port, controlPath }: Pick<
    MasterInfo,
    "kind" | "host" | "user" | "port" | "controlPath"
  >,
  target: Target,
  made: boolean,
): Promise<boolean> {
  if (kind !== "openssh" || host !== target.host || user !== target.user || port !== target.port) {
    return false;
  }
  if (made) return controlPath.endsWith(`/ssh-o${await identityKey(target)}`);
  return target.controlPath !== undefined &&
    [target.controlPath, ...target.controlPathAlternatives].includes(controlPath);
}
