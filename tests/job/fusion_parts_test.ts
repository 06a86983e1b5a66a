import { assert, assertEquals } from "@std/assert";
import { fc } from "fast-check";
import { sweepText } from "../../lib/job/fusion/driver_text.ts";
import { execString, execStringForInput } from "../../lib/job/fusion/exec_string.ts";
import { mayTravel } from "../../lib/job/fusion/fusable.ts";
import { parseMark } from "../../lib/job/fusion/marks.ts";
import { posixChecksum } from "../../lib/job/fusion/posix_checksum.ts";
import { parseNotes, type StepNote } from "../../lib/job/fusion/recover.ts";
import { type Piece, Splitter } from "../../lib/job/fusion/splitter.ts";
import type { PlannedExec, PlannedStep } from "../../lib/job/planned.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Pieces put together again where only the cuts differ. */
function joined(pieces: readonly Piece[]): string[] {
  const texts: string[] = [];
  let open = false;
  for (const piece of pieces) {
    if ("mark" in piece) texts.push(`mark ${piece.mark}`);
    else if (open) texts[texts.length - 1] += decode(piece.bytes);
    else if (piece.bytes.length > 0) texts.push(decode(piece.bytes));
    open = !("mark" in piece) && (open || piece.bytes.length > 0);
  }
  return texts;
}

Deno.test("a stream is taken apart at marks in the same way however it is cut", () => {
  const nonce = "\x1eab";
  const part = fc.oneof(
    fc.constantFrom("\x1e", "\x1ea", "\x1e\x1e", "a", "b", "\n", "plain", "x".repeat(300)),
    fc.constantFrom(" E 1 0 - 0", " B 2").map((mark) => `${nonce}${mark}\n`),
  );
  fc.assert(fc.property(fc.array(part), fc.array(fc.nat(40)), (parts, cuts) => {
    const bytes = encode(parts.join(""));
    const whole = new Splitter(nonce);
    const expected = [...whole.push(bytes), { bytes: whole.end() }];
    const splitter = new Splitter(nonce);
    const pieces: Piece[] = [];
    let at = 0;
    for (const cut of [...cuts, bytes.length]) {
      // Chunks of a stream may be used again for what comes next.
      const chunk = bytes.slice(at, at + cut);
      pieces.push(
        ...splitter.push(chunk).map((piece) => "bytes" in piece ? { bytes: piece.bytes.slice() } : piece),
      );
      chunk.fill(0);
      at += cut;
    }
    pieces.push({ bytes: splitter.end() });
    assertEquals(joined(pieces), joined(expected));
  }));
});

Deno.test("nothing is held back but what could be the beginning of a mark", () => {
  const splitter = new Splitter("\x1eabc");
  assertEquals(splitter.push(encode("text\x1e")), [{ bytes: encode("text") }]);
  assertEquals(splitter.push(encode("x")), [{ bytes: encode("\x1ex") }]);
  assertEquals(splitter.push(encode("\x1eabc Z")), []);
  assertEquals(splitter.push(encode("\ny")), [{ mark: " Z" }, { bytes: encode("y") }]);
});

Deno.test("marks say what they say, and nothing else is one", () => {
  assertEquals(parseMark(" B 3"), { type: "begin", index: 2 });
  assertEquals(parseMark(" E 1 137 KILL 1"), {
    type: "end",
    index: 0,
    code: 137,
    signal: "KILL",
    timedOut: true,
  });
  assertEquals(parseMark(" R 1 4 - 0"), {
    type: "retry",
    index: 0,
    code: 4,
    signal: undefined,
    timedOut: false,
  });
  assertEquals(parseMark(" K 2 u"), { type: "skip", index: 1, guard: "unless" });
  for (const other of ["", " Q 1", " B x", " E 1 y", "E"]) {
    assertEquals(parseMark(other)?.type === undefined || other === "", true, other);
  }
});

Deno.test("an exec string has no character that some login shell reads inside quotes", async () => {
  const text = "printf '%s|' \"it's\" '\\\\n!$HOME`x`' 'grün' 'a\nb' '\\0047'";
  const line = execString(text);
  const inner = line.replace('exec sh -c \'eval "$(printf %b "$0")"\' \'', "").replace(/'$/, "");
  assert(/^[\x20-\x7e]*$/.test(line) && !inner.includes("'") && !line.includes("!"), line);
  assert(!/\\[\\']/.test(line), "fish would take a backslash away");
  const output = await new Deno.Command("/bin/sh", { args: ["-c", line] }).output();
  const direct = await new Deno.Command("/bin/sh", { args: ["-c", text] }).output();
  assertEquals(decode(output.stdout), decode(direct.stdout));
});

Deno.test("a script on standard input runs only when it is there to its end", async () => {
  const run = async (input: string) => {
    const command = new Deno.Command("/bin/sh", {
      args: ["-c", execStringForInput("#end")],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    });
    await using process = command.spawn();
    const writer = process.stdin.getWriter();
    await writer.write(encode(input));
    await writer.close();
    return decode((await process.output()).stdout);
  };
  assertEquals(await run("{\necho one\necho two\n}\n#end\n"), "one\ntwo\n");
  assertEquals(await run("{\necho one\necho tw"), "");
});

Deno.test("checksums are those of cksum", async () => {
  for (const length of [0, 1, 255, 256, 70_000]) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 31) % 256);
    const command = new Deno.Command("cksum", { stdin: "piped", stdout: "piped" });
    await using process = command.spawn();
    const writer = process.stdin.getWriter();
    await writer.write(bytes);
    await writer.close();
    const { stdout } = await process.output();
    assertEquals(decode(stdout).trim(), `${posixChecksum(bytes)} ${length}`);
  }
});

Deno.test("notes of the remote side tell ended, begun and untouched steps apart", () => {
  const notes = parseNotes(
    "P 12\nB 1\nX 1 0\nE 1 0 - 0\nK 2 c\nB 3\nX 3 9\nE 3 9 - 1\nB 4\nC 4 1\nB 5\nall\n",
  );
  assertEquals(notes, {
    begun: true,
    steps: new Map<number, StepNote>([
      [0, { how: "ended", code: 0, timedOut: false }],
      [1, { how: "skipped", guard: "creates" }],
      [2, { how: "ended", code: 9, timedOut: true }],
      [3, { how: "copied", unchanged: true }],
      [4, { how: "begun" }],
    ]),
  });
  assertEquals(parseNotes("P 1\nB 1\nX 1 0\nB 2\nL\nall\n")?.steps.size, 1);
  assertEquals(parseNotes("none\n"), { begun: false, steps: new Map() });
  assertEquals(parseNotes("12.50 40.00\nnone\n"), { begun: false, steps: new Map(), upMs: 12_500 });
  // Cut off, or somebody else's.
  assertEquals(parseNotes("P 12\nB 1\n"), undefined);
  assertEquals(parseNotes(""), undefined);
});

Deno.test("a step with a field that is not known to travel stays by itself", () => {
  const plain: PlannedExec = {
    ...{ kind: "exec", step: "1", name: undefined, title: "x", timeoutMs: undefined, retries: 0 },
    ...{ command: "x", env: {}, cwd: undefined, creates: undefined },
  };
  assert(mayTravel(plain));
  for (
    const more of [
      { user: { name: "root", by: "sudo" } },
      { when: ["x"] },
      { late: true },
      { onFailure: [] },
      { commandCall: () => "" },
      { somethingNew: 1 },
    ]
  ) {
    assert(!mayTravel({ ...plain, ...more } as PlannedStep), JSON.stringify(more));
  }
  const copy = { ...plain, kind: "copy", from: "/a", to: "b" } as const;
  const { command: _command, ...bare } = copy;
  const step = (more: object) => ({ ...bare, env: undefined, ...more }) as unknown as PlannedStep;
  assert(mayTravel(step({})));
  for (
    const more of [{ timeoutMs: 1 }, { owner: "x" }, { exclude: [] }, { from: "/a/" }, { to: "~other/x" }]
  ) {
    assert(!mayTravel(step(more)), JSON.stringify(more));
  }
  // Known not to be needed: nothing is done for it.
  assert(mayTravel({ ...plain, kind: "reconnect", afterMs: 1, skip: "no" } as unknown as PlannedStep));
});

Deno.test("what a dead remote side left is removed when it is old, and what a live one has is not", async () => {
  const dir = await Deno.makeTempDir();
  const old = new Date(Date.now() - 3 * 86_400_000);
  for (
    const [name, pid, age] of [["live", Deno.pid, old], ["old", "", old], ["young", "", new Date()]] as const
  ) {
    await Deno.mkdir(`${dir}/carpool-job.${name}`, { mode: 0o700 });
    await Deno.writeTextFile(`${dir}/carpool-job.${name}/s`, `P ${pid}\n`);
    await Deno.utime(`${dir}/carpool-job.${name}`, age, age);
  }
  const script = `cqd=${dir}/carpool-job.own; ${sweepText}\ncqsweep`;
  await new Deno.Command("/bin/sh", { args: ["-c", script] }).output();
  const left = Array.from(Deno.readDirSync(dir), ({ name }) => name).sort();
  assertEquals(left, ["carpool-job.live", "carpool-job.young"]);
  await Deno.remove(dir, { recursive: true });
});
