import { MasterError } from "../base/errors.ts";
import { ControlClient } from "../link/control_link.ts";
import { encodeMuxPlain, MUX } from "../wire/mux.ts";

/** Ends a master that Carpool started; one that has left already is what is wanted. */
export async function endOpenSshMaster(controlPath: string): Promise<void> {
  try {
    using client = await ControlClient.connect(controlPath);
    const id = client.nextRequestId();
    await client.ask(encodeMuxPlain(MUX.TERMINATE, id), id); // it may close the socket before it answers
  } catch (error) {
    if (!(error instanceof MasterError && error.code === "gone")) throw error;
  }
}
