/** Scripts that take a file from their standard input, when that breaks off. */
import { assertEquals } from "@std/assert";
import { scriptText, writeText } from "../../lib/job/remote_text.ts";
import { tempDir } from "../host/sftp_server.ts";

async function sh(text: string, input: string, cwd: string): Promise<{ code: number; stdout: string }> {
  const child = new Deno.Command("sh", {
    args: ["-c", text],
    cwd,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  })
    .spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout } = await child.output();
  return { code, stdout: new TextDecoder().decode(stdout) };
}

Deno.test("a file is not replaced by what came of one whose input was cut off", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/conf`;
  await Deno.writeTextFile(path, "old\n");
  for (const part of ["", "new: 1"]) {
    assertEquals(await sh(writeText("conf", "conf", 10), part, dir.path), { code: 74, stdout: "" });
    assertEquals(await Deno.readTextFile(path), "old\n");
    assertEquals([...Deno.readDirSync(dir.path)].map(({ name }) => name), ["conf"]);
  }
  assertEquals((await sh(writeText("conf", "conf", 10), "new: 1\nä\n", dir.path)).stdout, "changed conf\n");
  assertEquals(await Deno.readTextFile(path), "new: 1\nä\n");
});

Deno.test("half a script is not run", async () => {
  await using dir = await tempDir();
  const script = "echo clean up /srv/old";
  for (let length = 0; length < script.length; length++) {
    const text = scriptText("sh", [], script.length);
    assertEquals(await sh(text, script.slice(0, length), dir.path), { code: 74, stdout: "" });
  }
  const whole = await sh(scriptText("sh", [], script.length), script, dir.path);
  assertEquals(whole, { code: 0, stdout: "clean up /srv/old\n" });
});
