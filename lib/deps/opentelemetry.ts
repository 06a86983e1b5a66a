/** Traces; Deno exports what is told here when OTEL_DENO is set. */
export { context, SpanKind, SpanStatusCode, trace } from "npm:@opentelemetry/api@1.9.0";
export type { Attributes, Context, Span } from "npm:@opentelemetry/api@1.9.0";
