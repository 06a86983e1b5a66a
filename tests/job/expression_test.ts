import { assert, assertEquals, assertThrows } from "@std/assert";
import { fc } from "fast-check";
import {
  evaluate,
  ExpressionProblem,
  fillText,
  holds,
  mentions,
  nameProblem,
  namesProblem,
  syntaxProblem,
  textProblems,
} from "../../lib/job/expression.ts";
import { textParts } from "../../lib/job/text_parts.ts";
import { tempDir } from "../host/sftp_server.ts";

const scope = {
  host: "web1",
  port: 8080,
  ratio: 0.5,
  on: true,
  items: ["a b", "c"],
  r: { code: 0, stdout: "it's", lines: ["x"] },
  nothing: null,
};

Deno.test("an expression sees variables, results and their parts", () => {
  const cases: readonly [string, unknown][] = [
    ["host", "web1"],
    ["port + 1", 8081],
    ["port * 2 > 100 && on", true],
    ["ratio", 0.5],
    ["r.code == 0 ? 'fine' : 'bad'", "fine"],
    ["items[1]", "c"],
    ["size(items)", 2],
    ["host.startsWith('web') && host in ['web1']", true],
    ["items.map(i, i + '!')", ["a b!", "c!"]],
    ["has(r.nope)", false],
    ["r.?nope.orValue('none')", "none"],
    ["nothing == null", true],
    ["string(port)", "8080"],
    ["{'a': 1}", { a: 1 }],
  ];
  for (const [source, value] of cases) assertEquals(evaluate(source, scope), value, source);
});

Deno.test("what the reference page says of the language holds", () => {
  const cases: readonly [string, unknown][] = [
    ["'text' + \"more\"", "textmore"],
    ["['a'] + ['b']", ["a", "b"]],
    ["7 / 2", 3],
    ["7 % 2", 1],
    ["2.5 * 2.0", 5],
    ["int('3') + 1", 4],
    ["double('2.5')", 2.5],
    ["'abc'.contains('b') && 'abc'.startsWith('a') && 'abc'.endsWith('c') && 'abc'.matches('^a.c$')", true],
    ["'a,b'.split(',')", ["a", "b"]],
    ["' A b '.trim().lowerAscii()", "a b"],
    ["size('abc')", 3],
    ["[1, 2, 3].exists(i, i > 2) && ![1, 2, 3].all(i, i > 2)", true],
    ["[1, 2, 3].filter(i, i > 1).map(i, i * 2)", [4, 6]],
    ["['a', 'b'].join('-')", "a-b"],
    ["{'key': 1}['key'] + {'key': 1}.key", 2],
    ["has(m.key) && !has(m.other) && 'key' in m", true],
    ["{'a': 1}.?b.orValue(5)", 5],
    ["null == null ? 1 : 2", 1],
  ];
  for (const [source, value] of cases) assertEquals(evaluate(source, { m: { key: 1 } }), value, source);
});

Deno.test("an expression that names what is not there gets the nearest name", () => {
  const error = assertThrows(() => evaluate("prot + 1", scope), ExpressionProblem);
  assertEquals(error.fix, 'did you mean "port"?');
  assertEquals(namesProblem("prot", ["port"])?.fix, 'did you mean "port"?');
  assertEquals(namesProblem("port > 1", ["port"]), undefined);
});

Deno.test("an expression cannot reach a prototype, whatever it names", () => {
  const names = ["constructor", "__proto__", "prototype", "toString", "__defineGetter__", "length"];
  for (const name of names) {
    for (const path of ["host", "r", "items", "r.lines", "port", "dyn({})"]) {
      for (const source of [`${path}.${name}`, `dyn(${path})["${name}"]`, `${path}.${name}("return 1")`]) {
        assertThrows(() => evaluate(source, scope), ExpressionProblem, "", source);
      }
    }
  }
});

Deno.test("an expression of any characters gives a value or an ExpressionProblem, and nothing else", () => {
  const pieces = fc.constantFrom(
    ...["host", "r", ".", "(", ")", "[", "]", "{", "}", "+", "==", "'", '"', "1", ",", "?", ":", "&&"],
    ...["constructor", "__proto__", "globalThis", "Deno", "map", "has", " ", "\\", "=>", "`", "${"],
  );
  const text = fc.oneof(fc.string(), fc.array(pieces).map((list) => list.join("")));
  fc.assert(fc.property(text, (source) => {
    try {
      const value = evaluate(source, scope);
      assert(typeof value !== "function");
      JSON.stringify(value);
    } catch (error) {
      assert(error instanceof ExpressionProblem, String(error));
    }
  }));
});

Deno.test("a condition has to be true or false", () => {
  assertEquals(holds("port == 8080", scope), true);
  assertThrows(() => holds("host", scope), ExpressionProblem, "not true or false");
});

Deno.test("a value in a command is one word, a list one word each, and raw text itself", () => {
  const fill = (text: string) => fillText(text, scope, "shell");
  assertEquals(fill("echo {{ r.stdout }} {{ port }}"), `echo 'it'\\''s' 8080`);
  assertEquals(fill("ls {{ items }}"), "ls 'a b' c");
  assertEquals(fill("echo {{ r.stdout | raw }}"), "echo it's");
  assertEquals(fill("test {{ on || false }}"), "test true");
  const goTemplate = "docker ps --format '{{.Names}} {{ .ID }}'";
  assertEquals(fill(goTemplate), goTemplate);
});

Deno.test("a value outside a command stands as it is", () => {
  assertEquals(fillText("/srv/{{ r.stdout }}/{{port}}", scope, "plain"), "/srv/it's/8080");
  assertThrows(() => fillText("{{ r }}", scope, "plain"), ExpressionProblem, "a map, which is no text");
  assertThrows(() => fillText("{{ nothing }}", scope, "plain"), ExpressionProblem, "nothing (null)");
});

Deno.test("a quoted word survives the shell whatever the value is", async () => {
  const values = fc.sample(fc.string({ unit: "binary" }).filter((s) => !s.includes("\0")), 60);
  for (const value of [...values, "$(touch /tmp/no)", "`x`", "a'b\"c\\d", "-n", "\n\n"]) {
    const command = fillText("printf %s {{ value }}", { value }, "shell");
    const { stdout } = await new Deno.Command("sh", { args: ["-c", command] }).output();
    assertEquals(new TextDecoder("utf-8", { ignoreBOM: true }).decode(stdout), wellFormed(value), command);
  }
});

const wellFormed = (text: string) =>
  new TextDecoder("utf-8", { ignoreBOM: true }).decode(new TextEncoder().encode(text));

Deno.test("a value between quotes is refused, because its own quotes would not hold there", () => {
  const refused = [`echo "{{ host }}"`, `echo '{{ host }}'`, `x="$(cat "{{ host }}")"`];
  for (const text of refused) assertEquals(textProblems(text, "shell").length, 1, text);
  const taken = [
    `echo {{ host }}`,
    `echo "a" {{ host }} 'b'`,
    `echo "$(cat {{ host }})"`,
    `echo "{{ host | raw }}"`,
    `# don't\necho {{ host }}`,
    `echo it\\'s {{ host }}`,
    `echo a#b' '{{ host }}`,
    `(cd x; y) && z {{ host }}`,
    `cat <<EOF\n$HOME's\nEOF\necho {{ host }}`,
    `cat <<-'EOF' >{{ host }}\n\ta\n\tEOF\necho {{ host }}`,
    `cat <<<{{ host }}\necho {{ host }}`,
    `echo $((1 << 2))\necho {{ host }}`,
    `echo $'it\\'s' {{ host }}`,
    `echo a\\\\{{ host }}`,
  ];
  for (const text of taken) assertEquals(textProblems(text, "shell"), [], text);
  assertEquals(textProblems(`"{{ host }}"`, "plain"), []);
});

Deno.test("a value where quotes mean nothing is refused, because what is in it would run", async () => {
  await using dir = await tempDir();
  const values = ["$(touch ran)", "`touch ran`", "\ntouch ran #", "\nEOF\ntouch ran #", "'; touch ran #"];
  const texts = [
    "cat <<EOF\n{{ x }}\nEOF",
    "cat <<-'EOF'\n\t{{ x }}\n\tEOF",
    "cat <<A <<\\EOF\nA\n{{ x }}\nEOF",
    "echo `echo {{ x }}`",
    "echo # {{ x }}",
    "echo \\{{ x }}",
    "bash -c true; echo $'it\\'s' '{{ x }}'",
  ];
  for (const text of texts) {
    assertEquals(textProblems(text, "shell").length, 1, text);
    assertEquals(textProblems(text.replace("x }}", "x | raw }}"), "shell").length, 0, text);
    // It is not refused for nothing.
    let ran = false;
    for (const x of values) {
      const command = fillText(text, { x }, "shell");
      await new Deno.Command("bash", { args: ["-c", command], cwd: dir.path }).output();
      ran ||= await Deno.remove(`${dir.path}/ran`).then(() => true, () => false);
    }
    assert(ran, text);
  }
});

Deno.test("a mistake in an expression is told before anything runs", () => {
  const told = (text: string) => textProblems(text, "plain").map((one) => one.why);
  assertEquals(told("a {{ host"), ["{{ has no }}"]);
  assertEquals(told("a {{ }}"), ["there is no expression between {{ and }}"]);
  assertEquals(told("{{json .}}").length, 1);
  assert(syntaxProblem("1 +")?.why.startsWith('in "1 +": '));
  assertEquals(syntaxProblem("anything.at.all(1)"), undefined);
});

Deno.test("an expression ends at its own braces", () => {
  assertEquals(textParts(`{{ {"a": {"b": 1}}.a.b }}x`), [
    { kind: "expression", source: `{"a": {"b": 1}}.a.b`, raw: false, offset: 0 },
    { kind: "text", text: "x" },
  ]);
  assertEquals(textParts(`{{ "}}" }}`), [{ kind: "expression", source: `"}}"`, raw: false, offset: 0 }]);
});

Deno.test("mentions finds names outside strings", () => {
  assertEquals(mentions("r.code == 0", new Set(["r"])), true);
  assertEquals(mentions("'r' == x", new Set(["r"])), false);
  assertEquals(mentions("rr.r2", new Set(["r"])), false);
});

Deno.test("words of the language and of the scope cannot be variables", () => {
  assertEquals(nameProblem("version"), undefined);
  for (const name of ["host", "vars", "in", "list", "a-b", "1a", "", "__proto__ "]) {
    assert(nameProblem(name) !== undefined, name);
  }
});
