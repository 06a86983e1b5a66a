import { JobFileError } from "../base/errors.ts";
import { explainMissingPackage } from "../base/load_package.ts";
import { systemWhy } from "../base/system_why.ts";
import type { DocumentPath, Locate } from "./issues.ts";
import { JobProblemsError, type Problem } from "./problems.ts";

/** No file that people write is larger; a larger one is the wrong file. */
export const maxFileBytes = 1024 * 1024;

/** What a YAML file says, and where it says it. */
export interface YamlContent {
  readonly content: unknown;
  readonly locate: Locate;
}

/**
 * Reads YAML 1.2 text of a task or inventory file.
 *
 * @param what What could not be done when the text is wrong: "Cannot use the task file".
 * @throws {JobProblemsError} with the mistakes of syntax up to the first that hides the rest, with line and column.
 */
export async function readYaml(bytes: Uint8Array, file: string, what: string): Promise<YamlContent> {
  if (bytes.byteLength > maxFileBytes) {
    throw new JobFileError({
      what,
      where: file,
      why: `it has ${bytes.byteLength} bytes, more than the ${maxFileBytes} allowed`,
      fix: "is it the right file?",
    });
  }
  let source: string;
  try {
    source = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new JobFileError({
      what,
      where: file,
      why: "it is not UTF-8 text",
      fix: "save it as UTF-8",
      cause,
    });
  }
  const { parseDocument, LineCounter, isMap, isSeq, isScalar, isAlias } = await explainMissingPackage(() =>
    import("../deps/yaml.ts")
  );
  const lines = new LineCounter();
  const at = (offset: number) => {
    const { line, col } = lines.linePos(Math.min(offset, source.length));
    return { where: `${file}:${line}:${col}`, line, column: col };
  };
  try {
    const document = parseDocument(source, { lineCounter: lines, prettyErrors: false, version: "1.2" });
    // A warning is an unknown tag (`!!python/object`): nothing that a task file may hold.
    const wrong = upToConfusion([...document.errors, ...document.warnings]);
    if (wrong.some((e) => /call stack/.test(e.message))) throw new RangeError("nested");
    if (wrong.length > 0) {
      throw new JobProblemsError(what, wrong.map((e): Problem => ({ ...at(e.pos[0]), ...explain(e) })));
    }
    // Aliases are bounded: nine lines of them can stand for a billion items.
    const content: unknown = document.toJS({ maxAliasCount: 100 });
    /** The offset of the deepest node on the path that the text has. */
    const offsetOf = (path: DocumentPath, of: "value" | "key"): number | undefined => {
      let node: unknown = document.contents;
      let offset = document.contents?.range?.[0] ?? 0;
      for (const [depth, key] of path.entries()) {
        if (isAlias(node)) node = node.resolve(document);
        if (isMap(node)) {
          const pair = node.items.find((item) =>
            isScalar(item.key) && String(item.key.value) === String(key)
          );
          if (!pair) return offset;
          const keyOffset = isScalar(pair.key) ? pair.key.range?.[0] : undefined;
          const last = depth === path.length - 1;
          const value = pair.value as { range?: readonly number[] | null } | null;
          offset = (last && of === "key" ? keyOffset : value?.range?.[0] ?? keyOffset) ?? offset;
          node = value;
        } else if (isSeq(node)) {
          const item = node.items[Number(key)] as { range?: readonly number[] | null } | undefined;
          offset = item?.range?.[0] ?? offset;
          node = item;
        } else return offset;
      }
      return offset;
    };
    const locate: Locate = (path, of) => {
      const offset = offsetOf(path, of);
      return offset === undefined ? { where: file } : at(offset);
    };
    return { content, locate };
  } catch (cause) {
    if (cause instanceof JobFileError) throw cause;
    const alias = cause instanceof ReferenceError && /^Unresolved alias.*: (\S+)$/.exec(cause.message)?.[1];
    if (alias) {
      throw new JobFileError({
        ...{ what, ...at(source.indexOf(`*${alias}`)) },
        why: `*${alias} without quotes is an alias in YAML, and nothing is called &${alias}`,
        fix: "put quotes around the whole text",
        cause,
      });
    }
    // The library's own limits: aliases beyond the bound (ReferenceError), nesting beyond the stack (RangeError).
    const why = cause instanceof RangeError
      ? "it is nested too deeply"
      : cause instanceof ReferenceError
      ? "its aliases stand for too much"
      : `it cannot be read (${systemWhy(cause)})`;
    throw new JobFileError({ what, where: file, why, fix: "write it out plainly", cause });
  }
}

/** Mistakes that do not make the parser lose its way: behind any other, what it says is about its own confusion. */
const harmless = new Set(["DUPLICATE_KEY", "TAG_RESOLVE_FAILED"]);

function upToConfusion<T extends { readonly code: string }>(errors: readonly T[]): readonly T[] {
  const first = errors.findIndex(({ code }) => !harmless.has(code));
  return first < 0 ? errors : errors.slice(0, first + 1);
}

function explain(error: { readonly code: string; readonly message: string }): Pick<Problem, "why" | "fix"> {
  const message = error.message.replace(/\.?$/, "").replace(/^./, (c) => c.toLowerCase());
  switch (error.code) {
    case "DUPLICATE_KEY":
      return { why: "the same key twice in one map", fix: "remove one of them" };
    case "TAB_AS_INDENT":
      return { why: "a tab in the indentation", fix: "YAML is indented with spaces" };
    case "BLOCK_AS_IMPLICIT_KEY":
      if (/block sequence/.test(message)) {
        return {
          why: "a list item that does not stand below the others of its list",
          fix: "indent it as they are",
        };
      }
      return {
        why: 'a ": " inside text that has no quotes',
        fix: "put quotes around the whole text; or is the next line indented too far?",
      };
    case "MULTILINE_IMPLICIT_KEY":
      return { why: "a line that is neither a list item nor a key with its value", fix: 'is a ":" missing?' };
    case "BAD_SCALAR_START":
      return { why: message, fix: "put quotes around the whole text" };
    case "BAD_DQ_ESCAPE":
      return { why: message, fix: "in double quotes \\ begins an escape; in single quotes it is itself" };
    case "MISSING_CHAR":
      if (!/sequence item without/.test(message)) return { why: message };
      return {
        why: "a key that does not stand below the others of its list item",
        fix: "indent it as they are, or begin a new item with -",
      };
    case "MULTIPLE_DOCS":
      return { why: "a second document (---)", fix: "keep one document in a file" };
    case "TAG_RESOLVE_FAILED":
      return { why: message, fix: "task files hold plain text, numbers, lists and maps" };
    default: {
      // `[web1, web[01-20]]` is the mistake that everybody makes once: a flow list ends at the first bracket.
      const flow = /flow/.test(message);
      return {
        why: message,
        ...(flow ? { fix: 'inside [ ] and { }, put quotes around text with brackets: "web[01-20]"' } : {}),
      };
    }
  }
}
