/** Asks on its terminal as told by its arguments, and prints what it got; run under a pseudo-terminal. */
import { TerminalPrompter } from "../../lib/target/terminal_prompter.ts";

const prompter = new TerminalPrompter();
const [mode] = Deno.args;
if (mode === "abort") {
  const given = AbortSignal.timeout(300);
  const outcome = await prompter.secret("Secret: ", given).then(String, (error: Error) => error.name);
  console.log(`<${outcome}>`);
} else if (mode === "two") {
  const [first, second] = await Promise.all([prompter.secret("First: "), prompter.line("Second: ")]);
  console.log(`<${first}><${second}>`);
} else {
  prompter.notice("a \x1b[2Jnotice\x07");
  console.log(`<${mode === "line" ? await prompter.line("Line: ") : await prompter.secret("Secret: ")}>`);
}
