import type { TargetOptions } from "../target/target.ts";
import { splitShellWords } from "./shell_words.ts";

/** Options of ssh(1) without a value that say nothing about where to connect. */
const HARMLESS = new Set("acCgkKMnNqstTvVxXyYf");

/** Options with a value that Carpool has a name for. */
const NAMED: Readonly<Record<string, (value: string) => TargetOptions>> = {
  J: (proxyJump) => ({ proxyJump }),
  l: (user) => ({ user }),
  p: (port) => ({ port: Number(port) }),
  F: (configFile) => ({ configFile }),
  i: (identityFile) => ({ identityFile }),
  S: (controlPath) => ({ controlPath }),
  b: (bindAddress) => ({ bindAddress }),
  c: (ciphers) => ({ ciphers }),
  m: (macs) => ({ macs }),
};

/** `-o` keywords that Ansible's own way of sharing needs; Carpool shares by itself, in its own place. */
const SHARING = /^(controlmaster|controlpersist|controlpath)$/i;

/**
 * Reads a line of ssh's options, as Ansible's `ansible_ssh_common_args` has it.
 *
 * @param fail Called with why, and what to do, for what Carpool has no meaning for.
 */
export function sshArguments(line: string, fail: (why: string, fix: string) => never): TargetOptions {
  const words = splitShellWords(line) ?? fail("a quote is not closed", "close it");
  const options: Record<string, unknown> = {};
  const configLines: string[] = [];
  const take = (found: TargetOptions) => {
    for (const [name, value] of Object.entries(found)) options[name] ??= value;
  };
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (!/^-[A-Za-z0-9]/.test(word)) {
      fail(
        `found ${JSON.stringify(word)}, which is no option of ssh`,
        "options such as -J and -o are allowed",
      );
    }
    for (let at = 1; at < word.length; at++) {
      const letter = word[at]!;
      const value = () => {
        const rest = word.slice(at + 1);
        at = word.length;
        return rest !== "" ? rest : words[++i] ?? fail(`-${letter} has no value`, "give it one");
      };
      if (letter === "o") {
        const setting = value();
        const [, keyword = "", text = ""] = /^\s*"?(\w+)"?\s*[=\s]\s*(.*)$/s.exec(setting) ?? [];
        if (keyword === "") fail(`found -o ${JSON.stringify(setting)}`, "-o Keyword=value is allowed");
        if (/^proxyjump$/i.test(keyword)) take({ proxyJump: text });
        else if (/^proxycommand$/i.test(keyword)) take({ proxyCommand: text });
        else if (!SHARING.test(keyword)) configLines.push(`${keyword}=${text}`);
      } else if (NAMED[letter]) {
        take(NAMED[letter](value()));
      } else if (letter === "4") take({ addressFamily: "inet" });
      else if (letter === "6") take({ addressFamily: "inet6" });
      else if (letter === "A") take({ forwardAgent: true });
      else if (!HARMLESS.has(letter)) {
        fail(`ssh's -${letter} has no meaning here`, "take it out, or write it as -o Keyword=value");
      }
    }
  }
  return configLines.length > 0 ? { ...options, configLines } : options;
}
