/** A user's program: connects, runs a command, says what it printed. Arguments: config file, module, "compiled"? */
const [configFile, module, how] = Deno.args;
// A compiled program cannot be made without a download; this is all that the module can see of one.
if (how === "compiled") {
  Object.defineProperty(Deno, "build", { value: { ...Deno.build, standalone: true } });
}
const { connect } = await import(module) as typeof import("../../mod.ts");
const host = await connect("test", { configFile });
console.log((await host.exec("echo ran")).stdout.trim());
await host.close();
