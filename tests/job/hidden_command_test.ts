/** A command that comes on standard input, when the connection breaks while it comes. */
import { assertEquals } from "@std/assert";
import { hiddenCommand } from "../../lib/job/hidden_command.ts";
import { tempDir } from "../host/sftp_server.ts";

for (const login of ["/bin/sh", "/bin/csh-that-is-not-there"]) {
  Deno.test(`half a hidden command is not run and leaves nothing, with ${login}`, async () => {
    await using dir = await tempDir();
    const names = () => [...Deno.readDirSync(dir.path)].map(({ name }) => name);
    const run = async (bytes: number) => {
      const child = new Deno.Command("sh", {
        args: ["-c", command],
        cwd: dir.path,
        env: { SHELL: login, TMPDIR: dir.path },
        stdin: "piped",
        stdout: "null",
        stderr: "null",
      }).spawn();
      const writer = child.stdin.getWriter();
      await writer.write(input.subarray(0, bytes));
      await writer.close();
      await child.status;
    };
    const { command, input } = hiddenCommand(": s3cr3t; echo ran >ran", { env: { A: "b" }, cwd: dir.path });
    // Up to its last bracket.
    const whole = new TextDecoder().decode(input).lastIndexOf("}");
    for (let bytes = whole; bytes >= 0; bytes -= 5) {
      await run(bytes);
      assertEquals(names(), [], `${bytes} bytes`);
    }
    await run(input.length);
    assertEquals(names(), login === "/bin/sh" ? ["ran"] : []);
  });
}
