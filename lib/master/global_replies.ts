import { LinkError, ProtocolError } from "../base/errors.ts";
import type { CloseInfo, Link } from "../channel/link.ts";
import { encodeGlobalRequest } from "../wire/messages.ts";

interface Expected {
  readonly name: string;
  readonly answered: (answer: Uint8Array) => void;
  readonly failed?: (error: LinkError) => void;
}

/**
 * The global requests that are with the server. Answers carry no number: they come in the order of the requests,
 * whoever made them (RFC 4254 §4), so that every one that wants an answer goes through here.
 */
export class GlobalReplies {
  readonly #link: Link;
  readonly #expected: Expected[] = [];
  #ended: CloseInfo | undefined;

  constructor(link: Link) {
    this.#link = link;
  }

  /** Sends a request; `answered` gets the whole answer, message number and all, or `failed` is told why none came. */
  send(
    name: string,
    data: Uint8Array | undefined,
    answered: (answer: Uint8Array) => void,
    failed?: (error: LinkError) => void,
  ): void {
    if (this.#ended) return failed?.(this.#error(name, this.#ended));
    this.#expected.push({ name, answered, failed });
    this.#link.send(encodeGlobalRequest(name, true, data));
  }

  answer(payload: Uint8Array): void {
    const expected = this.#expected.shift();
    if (expected === undefined) throw new ProtocolError({ what: "", why: "an answer to no global request" });
    expected.answered(payload);
  }

  end(info: CloseInfo): void {
    this.#ended = info;
    for (const { name, failed } of this.#expected.splice(0)) failed?.(this.#error(name, info));
  }

  #error(name: string, info: CloseInfo): LinkError {
    return new LinkError(info.how === "closed" ? "closed" : "lost", {
      what: `Cannot learn the answer to ${name}`,
      where: this.#link.where,
      why: info.why,
      cause: info.error,
    });
  }
}
