import type { CloseInfo } from "../channel/link.ts";
import type { JobHost, JobProcess } from "../job/job_host.ts";

/** A host as scripts without sharing use it: each command and each copy makes a connection of its own. */
export class PerCommandHost implements JobHost {
  readonly where: string;
  /** It has no connection that could end. */
  readonly closed: Promise<CloseInfo> = new Promise(() => {});
  readonly #connect: () => Promise<JobHost>;
  readonly #closing = new Set<Promise<void>>();

  constructor(where: string, connect: () => Promise<JobHost>) {
    this.where = where;
    this.#connect = connect;
  }

  async exec(...args: Parameters<JobHost["exec"]>): ReturnType<JobHost["exec"]> {
    await using host = await this.#connect();
    return await host.exec(...args);
  }

  /** The connection lasts as long as the process. */
  async spawn(...args: Parameters<JobHost["spawn"]>): Promise<JobProcess> {
    const host = await this.#connect();
    try {
      const process = await host.spawn(...args);
      const closing = process.status.then(() => host[Symbol.asyncDispose]());
      this.#closing.add(closing);
      return process;
    } catch (error) {
      await host[Symbol.asyncDispose]();
      throw error;
    }
  }

  async copy(...args: Parameters<JobHost["copy"]>): ReturnType<JobHost["copy"]> {
    await using host = await this.#connect();
    return await host.copy(...args);
  }

  async fetch(...args: Parameters<JobHost["fetch"]>): ReturnType<JobHost["fetch"]> {
    await using host = await this.#connect();
    return await host.fetch(...args);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#closing);
  }
}
