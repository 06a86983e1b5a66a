import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { fc } from "fast-check";
import { TargetError } from "../../lib/base/errors.ts";
import { parseDestination } from "../../lib/target/destination.ts";

const good: Record<string, { alias: string; user?: string; port?: number }> = {
  "web1": { alias: "web1" },
  "deploy@web1": { alias: "web1", user: "deploy" },
  "deploy@web1:2222": { alias: "web1", user: "deploy", port: 2222 },
  "web1:1": { alias: "web1", port: 1 },
  "a@b@host": { alias: "host", user: "a@b" },
  "[::1]:22": { alias: "::1", port: 22 },
  "[fe80::1%eth0]": { alias: "fe80::1%eth0" },
  "me@[::1]:2200": { alias: "::1", user: "me", port: 2200 },
  "[web1]:80": { alias: "web1", port: 80 },
  "::1": { alias: "::1" },
  "me@2001:db8::5": { alias: "2001:db8::5", user: "me" },
  "fe80::1%eth0": { alias: "fe80::1%eth0" },
  "ssh://web1": { alias: "web1" },
  "ssh://web1/": { alias: "web1" },
  "ssh://deploy@web1:2222/": { alias: "web1", user: "deploy", port: 2222 },
  "ssh://de%40ploy@web1": { alias: "web1", user: "de@ploy" },
  "ssh://deploy;fingerprint=x@web1": { alias: "web1", user: "deploy" },
  "ssh://me@[::1]:22": { alias: "::1", user: "me", port: 22 },
  "SSH://web1": { alias: "web1" },
  "web_1.example-x.org": { alias: "web_1.example-x.org" },
  "DOMAIN\\me@host": { alias: "host", user: "DOMAIN\\me" },
};

for (const [text, parts] of Object.entries(good)) {
  Deno.test(`destination ${text} is understood`, () => {
    assertEquals(parseDestination(text), { text, ...parts });
  });
}

const bad: Record<string, RegExp> = {
  "": /no host name/,
  "@host": /user name before @ is empty/,
  "user@": /no host name/,
  "-oProxyCommand=x": /begin with -/,
  "user@-host": /begin with -/,
  "-user@host": /begin with -/,
  "ho st": /contains " "/,
  "a,b": /contains ","/,
  "host;rm": /contains ";"/,
  "$(id)": /contains "\$"/,
  "`id`": /contains "`"/,
  "us'er@host": /user name contains "'"/,
  "a -x@host": /word of the user name begins with -/,
  "back\\@host": /ends in a backslash/,
  "ho\nst": /control characters/,
  "ho\x1b[31mst": /control characters/,
  "us\x00er@host": /control characters/,
  "host:": /not a port/,
  "host:0": /not a port/,
  "host:65536": /not a port/,
  "host:22x": /not a port/,
  "host:-1": /not a port/,
  "a:b:c": /no IPv6 address/,
  "[::1": /only :port may follow/,
  "[::1]22": /only :port may follow/,
  "[]": /no host name/,
  "ssh://": /no host name/,
  "ssh://host/path": /cannot have a path/,
  "ssh://@host": /user name before @ is empty/,
  "ssh://user:secret@host": /password does not belong/,
  "ssh://%zz@host": /percent-encoded/,
  "ssh://%0a@host": /control characters/,
};

for (const [text, why] of Object.entries(bad)) {
  Deno.test(`destination ${JSON.stringify(text)} is refused`, () => {
    const error = assertThrows(() => parseDestination(text), TargetError);
    assertEquals([error.code, error.outcome], ["bad-destination", "not-started"]);
    assertEquals(why.test(error.why!), true, error.message);
    // deno-lint-ignore no-control-regex
    assertEquals(/[\x00-\x1f\x7f]/.test(error.message), false, "no control characters in a message");
  });
}

Deno.test("a password in a destination is not repeated in the message's reason", () => {
  const error = assertThrows(() => parseDestination("ssh://u:s3cret@host"), TargetError);
  assertEquals(error.message.includes("s3cret"), false, error.message);
});

Deno.test("destination parsing throws nothing but TargetError, whatever it gets", () => {
  const pieces = fc.constantFrom(
    "ssh://",
    "@",
    "[",
    "]",
    ":",
    "::",
    "22",
    "%",
    "-",
    "host",
    ";",
    "\n",
    "é",
    "/",
  );
  fc.assert(fc.property(
    fc.oneof(fc.string(), fc.array(pieces, { maxLength: 12 }).map((words) => words.join(""))),
    (text) => {
      try {
        const { alias, user, port } = parseDestination(text);
        assertEquals(alias.startsWith("-") || user?.startsWith("-") || port === 0, false);
      } catch (error) {
        assertInstanceOf(error, TargetError);
      }
    },
  ));
});
