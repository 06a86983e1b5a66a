/** The login shells that a remote account may have: installed, or unpacked from Debian's packages. */
import { join } from "@std/path";
import type { LoginShell } from "./sshd_layout.ts";
import { installed, provide, type Tool, unpackedTool } from "./tools.ts";

export type ShellName = "dash" | "bash" | "busybox" | "mksh" | "zsh" | "fish" | "tcsh";

export const shellNames: readonly ShellName[] = ["dash", "bash", "busybox", "mksh", "zsh", "fish", "tcsh"];

/** One shell, ready for `startSshd({ loginShell })`. */
export async function shell(name: ShellName): Promise<LoginShell> {
  switch (name) {
    case "busybox":
      return { tool: await provide("busybox"), applet: "sh" };
    case "zsh":
      // The dynamic zsh looks for its modules at a path that is compiled in; the static one has them inside.
      if (await installed("zsh")) return { tool: await provide("zsh") };
      return { tool: await unpackedTool("zsh-static", ["zsh-static"]) };
    case "fish":
      return { tool: await fish() };
    default:
      return { tool: await provide(name) };
  }
}

/** An unpacked fish finds its files from where it lies, but only with `etc` beside its `share`. */
async function fish(): Promise<Tool> {
  const tool = await provide("fish", "fish", ["fish-common"]);
  if (tool.root !== undefined) {
    // Not Deno.symlink, which wants permission to write anywhere. Made twice at once, the loser finds it made.
    const usr = join(tool.root, "usr");
    await new Deno.Command("ln", { args: ["-sn", "../etc", join(usr, "etc")], stderr: "null" }).output();
  }
  return tool;
}

/** All of them, by name. */
export async function shells(): Promise<Record<ShellName, LoginShell>> {
  const found = await Promise.all(shellNames.map(async (name) => [name, await shell(name)] as const));
  return Object.fromEntries(found) as Record<ShellName, LoginShell>;
}
