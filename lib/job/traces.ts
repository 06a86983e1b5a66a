import type { HostEndEvent, RunEndEvent, RunEvent, StepEndEvent } from "../base/run_event.ts";
import { explainMissingPackage } from "../base/load_package.ts";
import type { Attributes, Context, Span } from "../deps/opentelemetry.ts";

type OpenTelemetry = typeof import("../deps/opentelemetry.ts");

/** Makes spans of the events of a run. */
export async function runTraces(): Promise<RunTraces> {
  return new RunTraces(await explainMissingPackage(() => import("../deps/opentelemetry.ts")));
}

interface Open {
  readonly span: Span;
  readonly context: Context;
}

/**
 * A run as spans: the job, in it each host, in it each of the host's steps, with the moments that the events
 * name. Attributes follow OpenTelemetry's semantic conventions (cicd.pipeline.*, server.*, process.exit.code,
 * error.type), those that have none there begin with `carpool.`. Commands' outputs, messages made of them and
 * values of variables are in none.
 */
export class RunTraces implements Disposable {
  readonly #api: OpenTelemetry;
  readonly #tracer: ReturnType<OpenTelemetry["trace"]["getTracer"]>;
  #job: Open | undefined;
  readonly #hosts = new Map<string, Open>();
  readonly #steps = new Map<string, Open>();

  /** @param api What spans are made with. */
  constructor(api: OpenTelemetry) {
    this.#api = api;
    this.#tracer = api.trace.getTracer("carpool");
  }

  event(event: RunEvent): void {
    switch (event.type) {
      case "run-start":
        this.#job = this.#begin(`job ${event.job}`, event.atMs, this.#api.context.active(), {
          "cicd.pipeline.name": event.job,
          "carpool.hosts": event.hosts.length,
          "carpool.steps": event.steps.length,
        });
        break;
      case "host-start":
        this.#hosts.set(event.host, this.#beginHost(event.host, event.atMs));
        break;
      case "host-ready": {
        const [, user, address, port] = /^(?:(.*)@)?\[?([^\]]*)\]?:(\d+)$/.exec(event.where) ?? [];
        this.#hosts.get(event.host)?.span.setAttributes({
          "carpool.connection.kind": event.connection,
          ...(address === undefined ? {} : { "server.address": address, "server.port": Number(port) }),
          ...(user === undefined ? {} : { "carpool.user": user }),
        });
        this.#hosts.get(event.host)?.span.addEvent("connected", {
          "carpool.connection.kind": event.connection,
          "carpool.connection.duration_ms": event.durationMs,
        }, event.atMs);
        break;
      }
      case "host-unreachable":
        this.#hosts.get(event.host)?.span.setAttribute("error.type", event.error.code);
        break;
      case "step-start":
        this.#steps.set(
          keyOf(event),
          this.#begin(shortened(event.title), event.atMs, this.#hosts.get(event.host)?.context, {
            "cicd.pipeline.task.name": shortened(event.title),
            "carpool.step.id": event.step,
            "carpool.step.kind": event.kind,
            "carpool.host": event.host,
          }),
        );
        break;
      case "step-retry":
        this.#steps.get(keyOf(event))?.span.addEvent("retry", {
          "carpool.step.attempt": event.attempt,
          "carpool.step.delay_ms": event.delayMs,
        }, event.atMs);
        break;
      case "step-skip":
        this.#hosts.get(event.host)?.span.addEvent("step skipped", {
          "cicd.pipeline.task.name": shortened(event.title),
          "carpool.step.id": event.step,
        }, event.atMs);
        break;
      case "step-end":
        this.#endStep(event);
        break;
      case "host-end":
        this.#endHost(event);
        break;
      case "run-end":
        this.#endJob(event);
        break;
    }
  }

  /** Ends what a run that broke off has left open. */
  [Symbol.dispose](): void {
    for (const { span } of [...this.#steps.values(), ...this.#hosts.values()]) span.end();
    this.#job?.span.end();
    this.#steps.clear();
    this.#hosts.clear();
    this.#job = undefined;
  }

  #begin(name: string, startTime: number, parent: Context | undefined, attributes: Attributes): Open {
    const { context, trace, SpanKind } = this.#api;
    const inside = parent ?? context.active();
    const span = this.#tracer.startSpan(name, { kind: SpanKind.INTERNAL, startTime, attributes }, inside);
    return { span, context: trace.setSpan(inside, span) };
  }

  #beginHost(host: string, atMs: number): Open {
    return this.#begin(`host ${shortened(host)}`, atMs, this.#job?.context, {
      "carpool.host": host,
      "network.protocol.name": "ssh",
      "network.transport": "tcp",
    });
  }

  #endStep(event: StepEndEvent): void {
    const open = this.#steps.get(keyOf(event));
    this.#steps.delete(keyOf(event));
    open?.span.setAttributes({
      "cicd.pipeline.task.run.result": resultOf(event.status),
      "carpool.step.status": event.status,
      "carpool.step.attempts": event.attempts,
      ...(event.outcome === null ? {} : { "carpool.step.outcome": event.outcome }),
      ...(event.code === null ? {} : { "process.exit.code": event.code }),
      ...(event.error === undefined ? {} : { "error.type": event.error.code }),
    });
    this.#finish(open, event.status === "ok" || event.ignored === true, event.atMs);
  }

  #endHost(event: HostEndEvent): void {
    // A host that was never begun has its end alone.
    const open = this.#hosts.get(event.host) ?? this.#beginHost(event.host, event.atMs);
    this.#hosts.delete(event.host);
    open.span.setAttributes({
      "carpool.host.status": event.status,
      "carpool.connections": event.connections,
      "carpool.steps.ok": event.steps.ok,
      "carpool.steps.failed": event.steps.failed,
    });
    this.#finish(open, event.status === "ok" || event.status === "skipped", event.atMs);
  }

  #endJob(event: RunEndEvent): void {
    this.#job?.span.setAttributes({
      "cicd.pipeline.result": resultOf(event.status),
      "carpool.connections": event.connections,
      "carpool.hosts.ok": event.hosts.ok,
      "carpool.hosts.failed": event.hosts.failed,
      "carpool.hosts.unreachable": event.hosts.unreachable,
    });
    this.#finish(this.#job, event.status === "ok", event.atMs);
    this.#job = undefined;
    this[Symbol.dispose]();
  }

  /** Without a message: it would be made of what the command wrote. */
  #finish(open: Open | undefined, ok: boolean, atMs: number): void {
    const { ERROR, OK } = this.#api.SpanStatusCode;
    open?.span.setStatus({ code: ok ? OK : ERROR });
    open?.span.end(atMs);
  }
}

function keyOf({ host, step }: { readonly host: string; readonly step: string }): string {
  return `${step} ${host}`;
}

/** Names of spans are for people to read side by side. */
function shortened(text: string): string {
  const [first = ""] = text.split("\n");
  return first.length > 120 ? `${first.slice(0, 119)}…` : first;
}

/** The values that the conventions have for how a pipeline came out. */
function resultOf(status: RunEndEvent["status"] | StepEndEvent["status"]): string {
  const results = {
    ok: "success",
    failed: "failure",
    unreachable: "error",
    unknown: "error",
    interrupted: "cancellation",
  };
  return results[status];
}
