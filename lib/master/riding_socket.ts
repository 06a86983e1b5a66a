import { ControlClient } from "../link/control_link.ts";
import { MasterError } from "../base/errors.ts";
import { hashOf } from "./identity.ts";
import { inspectSocket, places } from "./places.ts";

/** Where the keeper serves those who ride the OpenSSH master at `controlPath`; undefined when it does not ride it. */
export async function ridingSocket(
  controlPath: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<string | undefined> {
  const key = `r${await hashOf(controlPath)}`;
  for (const place of await places(environment)) {
    const path = place.masterSocket(key);
    if (inspectSocket(path) === "missing") continue;
    try {
      using client = await ControlClient.connect(path);
      await client.alive();
      return path;
    } catch (error) {
      if (!(error instanceof MasterError && error.code === "gone")) throw error;
    }
  }
  return undefined;
}

/** Whether a path is in a directory of the keeper's, so that nobody but Carpool makes sockets there. */
export async function isInKeepersDirectory(path: string): Promise<boolean> {
  return (await places()).some(({ directory }) => path.startsWith(`${directory}/`));
}
