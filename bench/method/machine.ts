/** What a result must say of where it was made. */
export interface Machine {
  readonly os: string;
  readonly kernel: string;
  readonly arch: string;
  readonly cores: number;
  readonly cpu: string;
  readonly memoryMB: number;
  /** 1, 5 and 15 minutes, before the run: whoever else used the machine disturbed it. */
  readonly loadAverage: readonly number[];
  readonly deno: string;
  readonly v8: string;
}

/** Describes this machine. No host name, no user: result files are published. */
export async function describeMachine(): Promise<Machine> {
  return {
    os: Deno.build.os,
    kernel: Deno.osRelease(),
    arch: Deno.build.arch,
    cores: navigator.hardwareConcurrency,
    cpu: await cpuName(),
    memoryMB: Math.round(Deno.systemMemoryInfo().total / 1024 / 1024),
    loadAverage: Deno.loadavg().map((load) => Number(load.toFixed(2))),
    deno: Deno.version.deno,
    v8: Deno.version.v8,
  };
}

/** Deno opens /proc only to programs with all permissions: the shell reads it. */
async function cpuName(): Promise<string> {
  const script = "grep -m1 '^model name' /proc/cpuinfo || sysctl -n machdep.cpu.brand_string";
  const { stdout } = await new Deno.Command("/bin/sh", { args: ["-c", script], stderr: "null" }).output();
  return new TextDecoder().decode(stdout).replace(/^model name\s*:\s*/, "").trim() || "unknown";
}
