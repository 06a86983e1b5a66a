import { assert, assertEquals } from "@std/assert";
import { KeeperWorld } from "../master/keeper_world.ts";

/** The parts of OTLP's JSON that the tests look at. */
interface Span {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly status: { readonly code?: number };
  readonly attributes: readonly { readonly key: string; readonly value: Record<string, unknown> }[];
  readonly events: readonly { readonly name: string }[];
}

interface Exported {
  readonly resourceSpans: readonly {
    readonly scopeSpans: readonly {
      readonly scope: { readonly name: string };
      readonly spans: readonly Span[];
    }[];
  }[];
}

/** Runs a command with a receiver of traces beside it. */
async function traced(world: KeeperWorld, args: readonly string[]) {
  const bodies: string[] = [];
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const text = await request.text();
    if (request.url.endsWith("/v1/traces")) bodies.push(text);
    return new Response("{}", { headers: { "content-type": "application/json" } });
  });
  const env = {
    OTEL_DENO: "true",
    OTEL_DENO_CONSOLE: "ignore",
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${server.addr.port}`,
  };
  const result = await world.run([...args, "-F", world.configFile, "--no-share"], {
    cwd: world.home.path,
    env,
  });
  const spans = bodies.flatMap((body) => (JSON.parse(body) as Exported).resourceSpans)
    .flatMap(({ scopeSpans }) => scopeSpans).filter(({ scope }) => scope.name === "carpool")
    .flatMap(({ spans }) => spans);
  return { ...result, spans, text: bodies.join("") };
}

function attributes({ attributes }: Span): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}

const TASK = `
name: traced
env: { TOKEN: hunter2 }
steps:
  - name: greet
    exec: echo "output-of-$TOKEN"
  - exec: exit 3
`;

Deno.test("a run with OTEL_DENO is told as spans of the job, its hosts and their steps, without secrets", async () => {
  await using world = await KeeperWorld.make({ hosts: ["127.0.0.1", "127.0.0.2"] });
  await world.home.write("t.yaml", TASK);
  const { code, spans, text, stderr } = await traced(world, ["run", "./t.yaml", "--hosts", "test[1-2]"]);
  assertEquals(code, 1, stderr);
  const named = (name: string) => spans.filter((span) => span.name === name);

  const [job, ...others] = named("job traced");
  assert(job && others.length === 0, spans.map(({ name }) => name).join());
  assertEquals(Number(BigInt("0x" + (job.parentSpanId || "0"))), 0);
  assertEquals(job.status.code, 2);
  const about = attributes(job);
  assertEquals([about["cicd.pipeline.name"], about["cicd.pipeline.result"]], ["traced", "failure"]);
  assertEquals([about["carpool.hosts"], about["carpool.hosts.failed"], about["carpool.connections"]], [
    2,
    2,
    2,
  ]);

  for (const [i, name] of ["host test1", "host test2"].entries()) {
    const [host] = named(name);
    assertEquals([host!.parentSpanId, host!.traceId], [job.spanId, job.traceId]);
    const about = attributes(host!);
    assertEquals(about["server.address"], world.sshd.hosts[i]);
    assertEquals([about["server.port"], about["network.protocol.name"]], [world.sshd.port, "ssh"]);
    assertEquals([about["carpool.connection.kind"], about["carpool.host.status"]], ["new", "failed"]);
    assert(host!.events.some(({ name }) => name === "connected"));
    const steps = spans.filter(({ parentSpanId }) => parentSpanId === host!.spanId);
    assertEquals(steps.map(({ name }) => name).sort(), ["exit 3", "greet"]);
    const failed = steps.find(({ name }) => name === "exit 3")!;
    assertEquals([failed.status.code, attributes(failed)["process.exit.code"]], [2, 3]);
    assertEquals(attributes(failed)["cicd.pipeline.task.run.result"], "failure");
    for (const span of steps) {
      assert(BigInt(span.startTimeUnixNano) <= BigInt(span.endTimeUnixNano));
      assert(BigInt(span.startTimeUnixNano) >= BigInt(host!.startTimeUnixNano));
    }
  }
  assertEquals(spans.length, 7);
  for (const secret of ["hunter2", "output-of"]) assert(!text.includes(secret), `${secret} was exported`);
});

Deno.test("a host that cannot be reached is a span with an error type and no steps", async () => {
  await using world = await KeeperWorld.make();
  await world.home.write("t.yaml", TASK);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const { code, spans } = await traced(world, ["run", "./t.yaml", "--hosts", "test", "-p", String(port)]);
  assertEquals(code, 4);
  assertEquals(spans.map(({ name }) => name).sort(), ["host test", "job traced"]);
  const host = spans.find(({ name }) => name === "host test")!;
  assertEquals([host.status.code, attributes(host)["error.type"]], [2, "refused"]);
});
