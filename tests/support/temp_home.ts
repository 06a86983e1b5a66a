/** A home for programs under test that knows nothing of the real one. */
import { join } from "@std/path";

/** What a program may need of the caller's environment to reach the package registry, and nothing else. */
const NETWORK_VARIABLES = [
  ...["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"],
  ...[
    "NPM_CONFIG_REGISTRY",
    "NODE_EXTRA_CA_CERTS",
    "DENO_CERT",
    "DENO_TLS_CA_STORE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
  ],
];

/** A throwaway home directory; dispose it. */
export class TempHome implements AsyncDisposable {
  readonly path: string;
  /**
   * The whole environment for a hermetic run: pass it with `clearEnv: true`. It has no XDG_RUNTIME_DIR, no
   * SSH_AUTH_SOCK, no DISPLAY; DENO_DIR is the caller's, so that `deno` need not download everything anew.
   *
   * OpenSSH takes `~` from the passwd entry, not from HOME: give it `-F`.
   */
  readonly env: Readonly<Record<string, string>>;

  private constructor(path: string, env: Record<string, string>) {
    this.path = path;
    this.env = env;
  }

  /** Makes one, mode 0700, with an empty `.ssh` (0700) and `tmp` inside. */
  static async make(): Promise<TempHome> {
    // A short name: sockets below it must fit in 108 bytes.
    const path = await Deno.realPath(await Deno.makeTempDir({ prefix: "cp-" }));
    await Deno.mkdir(join(path, ".ssh"), { mode: 0o700 });
    await Deno.mkdir(join(path, "tmp"), { mode: 0o700 });
    const env: Record<string, string> = {
      HOME: path,
      TMPDIR: join(path, "tmp"),
      PATH: Deno.env.get("PATH") ?? "/usr/local/bin:/usr/bin:/bin",
      LANG: "C.UTF-8",
      USER: "caller",
      LOGNAME: "caller",
      NO_COLOR: "1",
      DENO_NO_UPDATE_CHECK: "1",
    };
    const denoDir = Deno.env.get("DENO_DIR") ?? defaultDenoDir();
    if (denoDir !== undefined) env.DENO_DIR = denoDir;
    for (const name of NETWORK_VARIABLES) {
      const value = Deno.env.get(name);
      if (value !== undefined) env[name] = value;
    }
    return new TempHome(path, env);
  }

  /** Writes a file below the home, with its directories; answers its path. Default mode 0600. */
  async write(name: string, text: string, mode = 0o600): Promise<string> {
    const path = join(this.path, name);
    await Deno.mkdir(join(path, ".."), { recursive: true, mode: 0o700 });
    await Deno.writeTextFile(path, text, { mode });
    await Deno.chmod(path, mode);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await Deno.remove(this.path, { recursive: true });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

function defaultDenoDir(): string | undefined {
  const cache = Deno.env.get("XDG_CACHE_HOME");
  if (cache) return join(cache, "deno");
  const home = Deno.env.get("HOME");
  if (!home) return undefined;
  return Deno.build.os === "darwin" ? join(home, "Library", "Caches", "deno") : join(home, ".cache", "deno");
}
