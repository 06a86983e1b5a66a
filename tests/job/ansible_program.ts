/** The real `ansible-inventory`, from Debian's packages. */
import { join } from "@std/path";
import { CRYPTOGRAPHY, python, YAML } from "../../bench/peers/python.ts";
import { run } from "../support/run.ts";

const PACKAGES = [
  ...["ansible-core", "python3-jinja2", "python3-markupsafe"],
  ...["python3-packaging", "python3-resolvelib", "python3-distutils"],
];

/** What `ansible-inventory` said. */
export interface AnsibleAnswer {
  readonly success: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs it with a home of its own; `-i` and what follows is the caller's. */
export async function ansibleInventory(home: string, args: readonly string[]): Promise<AnsibleAnswer> {
  const tool = await python("no Ansible is installed", PACKAGES, YAML, CRYPTOGRAPHY);
  const [program, ...words] = [...tool.words, join(tool.roots[0]!, "usr/bin/ansible-inventory"), ...args];
  const env = {
    ...tool.env,
    PATH: "/usr/bin:/bin",
    HOME: home,
    ANSIBLE_HOME: home,
    ANSIBLE_LOCAL_TEMP: join(home, "tmp"),
    ANSIBLE_NOCOLOR: "1",
    LC_ALL: "C.UTF-8",
  };
  const { code, stdout, stderr } = await run(program!, words, { env, clearEnv: true, cwd: home });
  return { success: code === 0, stdout, stderr };
}
