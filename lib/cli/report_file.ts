import { UsageError } from "../base/errors.ts";
import { systemWhy } from "../base/system_why.ts";
import { htmlReport } from "../report/html_report.ts";
import type { Reporter } from "../report/reporter.ts";
import { usage } from "./arguments.ts";
import { version } from "./version.ts";

/**
 * `--report FILE.html`. The file is begun beside its final name before anything is contacted, so that a path that cannot be
 * written is known at once, and takes its name when it is whole.
 */
export function reportFile(command: string, path: string): Reporter {
  if (!/\.html?$/i.test(path)) {
    throw usage(command, `--report ${path}`, "the report is an HTML page", "name it FILE.html");
  }
  const part = `${path}.part-${Deno.pid}`;
  writing(path, () => Deno.writeTextFileSync(part, "", { mode: 0o600 }));
  return htmlReport({
    version,
    save(page) {
      writing(path, () => {
        Deno.writeTextFileSync(part, page);
        Deno.renameSync(part, path);
      });
    },
    discard: () => Deno.removeSync(part),
  });
}

function writing(path: string, write: () => void): void {
  try {
    write();
  } catch (cause) {
    throw new UsageError({
      what: "Cannot write the report",
      where: path,
      why: systemWhy(cause),
      fix: "name a file in a directory that is there and can be written",
      cause,
    });
  }
}
