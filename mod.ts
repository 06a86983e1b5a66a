/**
 * Carpool: one SSH connection per host, every command rides along.
 *
 * ```ts ignore
 * import { connect } from "./mod.ts";
 * await using web = await connect("deploy@web1");
 * console.log((await web.exec("uname -sr")).stdout);
 * ```
 *
 * Run as a program it is the `carpool` command.
 *
 * @module
 */
export {
  CarpoolError,
  ChannelError,
  CommandError,
  CopyError,
  FleetError,
  HostKeyError,
  JobFileError,
  LinkError,
  MasterError,
  type Outcome,
  ProtocolError,
  TargetError,
  UsageError,
} from "./lib/base/errors.ts";
export { connect, type ConnectOptions } from "./lib/host/connect.ts";
export { type CopyOptions, type CopyProgress, type CopyResult } from "./lib/host/copy_options.ts";
export { type ExecOptions, type ExecResult, type PtyOptions } from "./lib/host/exec_options.ts";
export { Fleet, fleet, type FleetAnswer, type FleetOptions } from "./lib/host/fleet.ts";
export { Host, type ShellValue, type SpawnOptions } from "./lib/host/host.ts";
export { RemoteProcess, type RemoteStatus } from "./lib/host/remote_process.ts";
