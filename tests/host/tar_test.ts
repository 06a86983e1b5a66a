import { assert, assertEquals, assertRejects } from "@std/assert";
import { fc } from "../../lib/deps/fast_check.ts";
import { concat } from "../../lib/base/bytes.ts";
import { ProtocolError } from "../../lib/base/errors.ts";
import { type TarItem, TarReader } from "../../lib/host/tar_reader.ts";
import { TAR_END, type TarEntry, tarHeader, tarPadding } from "../../lib/host/tar_writer.ts";
import { tempDir } from "./sftp_server.ts";

/** Pieces of `data`, cut at `sizes` over and over. */
function reader(data: Uint8Array, sizes: readonly number[] = [data.length]): TarReader {
  let at = 0;
  let turn = 0;
  return new TarReader(() => {
    if (at >= data.length) return Promise.resolve(undefined);
    const piece = data.subarray(at, at += Math.max(1, sizes[turn++ % sizes.length]));
    return Promise.resolve(piece);
  });
}

async function readAll(tar: TarReader): Promise<(TarItem & { readonly text: string })[]> {
  const items: (TarItem & { readonly text: string })[] = [];
  for (let item = await tar.next(); item; item = await tar.next()) {
    const parts: Uint8Array[] = [];
    for (let part = await tar.body(); part; part = await tar.body()) parts.push(part.slice());
    items.push({ ...item, text: new TextDecoder().decode(concat(parts)) });
  }
  return items;
}

function archive(entries: readonly (Omit<TarEntry, "size"> & { readonly text?: string })[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const { text = "", ...entry } of entries) {
    const data = new TextEncoder().encode(text);
    parts.push(tarHeader({ ...entry, size: data.length }), data, new Uint8Array(tarPadding(data.length)));
  }
  return concat([...parts, TAR_END]);
}

const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 300 })
  .map((text) => text.replaceAll("\0", "_").replace(/\/+$/, "_")).filter((text) => text.isWellFormed());

Deno.test("a tar stream that we write reads back the same, however it is cut", async () => {
  const entry = fc.record({
    name,
    kind: fc.constantFrom("file" as const, "directory" as const, "symlink" as const),
    mode: fc.integer({ min: 0, max: 0o7777 }),
    mtime: fc.integer({ min: 0, max: 0xffffffff }),
    target: name,
    text: fc.string({ maxLength: 2000 }),
  }).map(({ kind, target, text, ...rest }) => ({
    ...rest,
    kind,
    target: kind === "symlink" ? target : undefined,
    text: kind === "file" ? text : "",
  }));
  const cuts = fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 6 }), cuts, async (entries, sizes) => {
      const items = await readAll(reader(archive(entries), sizes));
      assertEquals(
        items.map(({ name, kind, target, text }) => [name, kind, target, text]),
        entries.map(({ name, kind, target, text }) => [
          kind === "directory" ? `${name}/` : name,
          kind,
          target ?? "",
          text,
        ]),
      );
    }),
    { numRuns: 150 },
  );
});

Deno.test("any bytes at all are read, or refused as no tar stream, within bounds", async () => {
  const good = archive([{ name: "a".repeat(150), kind: "file", mode: 0o644, mtime: 5, text: "hello" }]);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 12 }),
      fc.nat(good.length),
      async (changes, length) => {
        const data = good.slice(0, length);
        for (const [at, byte] of changes) if (at < length) data[at] = byte;
        try {
          for (const item of await readAll(reader(data, [700]))) assert(item.size <= data.length);
        } catch (error) {
          assert(error instanceof ProtocolError, String(error));
        }
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("a name larger than memory should hold is refused before it is read", async () => {
  const header = tarHeader({ name: "x".repeat(200), kind: "file", mode: 0, mtime: 0 }).slice(0, 512);
  header.set(new TextEncoder().encode("77777777777\0"), 124);
  header.fill(0x20, 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.set(new TextEncoder().encode(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  await assertRejects(() => reader(header).next(), ProtocolError, "a name of 8589934591 bytes");
});

Deno.test("what tar writes is read: ustar, gnu and pax, long names, links, and streams in a row", async () => {
  await using dir = await tempDir();
  const long = `${"d".repeat(120)}/${"ü".repeat(100)}`;
  await Deno.mkdir(`${dir.path}/t/${"d".repeat(120)}`, { recursive: true });
  await Deno.writeTextFile(`${dir.path}/t/${long}`, "long");
  await Deno.writeTextFile(`${dir.path}/t/a`, "a".repeat(1000));
  await Deno.link(`${dir.path}/t/a`, `${dir.path}/t/b`);
  await Deno.symlink("../x", `${dir.path}/t/l`);
  for (const format of ["gnu", "pax", "ustar"]) {
    const names = format === "ustar" ? ["./a", "./b", "./l"] : ["./a", "./b", "./l", `./${long}`];
    const script = `cd "$0" && tar --format=${format} -cf - "$@" && tar --format=${format} -cf - ./a`;
    const { stdout, success } = await new Deno.Command("sh", {
      args: ["-c", script, `${dir.path}/t`, ...names],
    })
      .output();
    assert(success);
    const items = await readAll(reader(new Uint8Array(stdout), [1000, 1]));
    assertEquals(
      items.map(({ name, kind, size, target, text }) => [name, kind, size, target, text.length]),
      [
        ["./a", "file", 1000, "", 1000],
        ["./b", "hardlink", 0, "./a", 0],
        ["./l", "symlink", 0, "../x", 0],
        ...format === "ustar" ? [] : [[`./${long}`, "file", 4, "", 4]],
        ["./a", "file", 1000, "", 1000],
      ],
    );
  }
});
