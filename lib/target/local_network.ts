type Fail = (why: string, fix?: string) => never;

/** The addresses of this machine's network interfaces. */
export function localAddresses(fail: Fail): string[] {
  try {
    return Deno.networkInterfaces().map(({ address }) => address);
  } catch {
    return fail("the network interfaces must not be listed", "allow --allow-sys=networkInterfaces");
  }
}

/** Whether one of the addresses lies in the comma-separated list of networks (`10.0.0.0/8`), none in a negated one. */
export function matchesCidrList(addresses: readonly string[], list: string, fail: Fail): boolean {
  const networks = list.split(",").map((entry) => {
    const negated = entry.startsWith("!");
    const network = parseNetwork(negated ? entry.slice(1) : entry);
    return {
      negated,
      network: network ?? fail(`${JSON.stringify(entry.slice(0, 60))} is no network`, "write 10.0.0.0/8"),
    };
  });
  return addresses.some((text) => {
    const address = parseAddress(text);
    if (address === undefined) return false;
    const inside = networks.filter(({ network }) => contains(network, address));
    return inside.length > 0 && !inside.some(({ negated }) => negated);
  });
}

interface Network {
  readonly address: readonly number[];
  readonly bits: number;
}

function parseNetwork(text: string): Network | undefined {
  const [base, length, ...more] = text.split("/");
  const address = parseAddress(base);
  if (address === undefined || more.length > 0) return undefined;
  const most = address.length * 8;
  const bits = length === undefined ? most : /^\d{1,3}$/.test(length) ? Number(length) : -1;
  if (bits < 0 || bits > most) return undefined;
  // A network with host bits set is a mistake, and OpenSSH refuses it too.
  return address.every((byte, i) => (byte & hostMask(bits, i)) === 0) ? { address, bits } : undefined;
}

function contains(network: Network, address: readonly number[]): boolean {
  return network.address.length === address.length &&
    address.every((byte, i) => (byte & ~hostMask(network.bits, i)) === network.address[i]);
}

/** The bits of byte `i` behind a prefix. */
function hostMask(prefixBits: number, i: number): number {
  const inByte = Math.min(8, Math.max(0, prefixBits - i * 8));
  return 0xff >> inByte;
}

/** The bytes of an IPv4 or IPv6 address (a zone is left out); undefined for anything else. */
export function parseAddress(text: string): readonly number[] | undefined {
  const zoneless = text.split("%")[0];
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(zoneless)) {
    const bytes = zoneless.split(".").map(Number);
    return bytes.every((byte) => byte < 256) ? bytes : undefined;
  }
  if (!zoneless.includes(":")) return undefined;
  const canonical = URL.parse(`http://[${zoneless}]/`)?.hostname.slice(1, -1);
  if (canonical === undefined) return undefined;
  const [head, tail] = canonical.split("::");
  const groups = (part: string | undefined) =>
    part ? part.split(":").map((group) => parseInt(group, 16)) : [];
  const [left, right] = [groups(head), groups(tail)];
  const all = [...left, ...new Array(8 - left.length - right.length).fill(0), ...right];
  return all.flatMap((group) => [group >> 8, group & 0xff]);
}
