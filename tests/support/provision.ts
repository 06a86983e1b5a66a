/** Fetches what the tests need and this machine lacks, before they start, so that no test waits for a download. */
import { CarpoolError } from "../../lib/base/errors.ts";
import { chromiumProgram } from "./chromium.ts";
import { openssh } from "./openssh.ts";
import { shells } from "./shells.ts";
import { git, provide } from "./tools.ts";

try {
  const { version, sshd } = await openssh();
  await shells();
  await provide("rsync");
  await git();
  await chromiumProgram();
  console.error(`tests: using ssh ${version} and ${sshd}`);
} catch (error) {
  if (!(error instanceof CarpoolError)) throw error;
  console.error(`tests: ${error.message}`);
  Deno.exit(1);
}
