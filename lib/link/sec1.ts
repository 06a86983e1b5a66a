/**
 * Brings the number in a PEM `EC PRIVATE KEY` (RFC 5915) to the length that its curve asks for. OpenSSH's own format
 * holds it as an mpint, with a zero before it or without its leading zeros; ssh2 copies it as it is, and Deno, stricter
 * than OpenSSL, then refuses to sign: every second ECDSA key would fail.
 *
 * Gives undefined for what is not such a key.
 */
export function repairSec1(pem: string): string | undefined {
  const match = /^-----BEGIN EC PRIVATE KEY-----\s([A-Za-z0-9+/=\s]+)-----END EC PRIVATE KEY-----/.exec(
    pem.trim(),
  );
  if (!match) return undefined;
  const der = Uint8Array.fromBase64(match[1].replace(/\s+/g, ""));
  // SEQUENCE { INTEGER 1, OCTET STRING privateKey, [0] parameters, [1] publicKey }
  const sequence = readElement(der, 0);
  const version = sequence && readElement(der, sequence.start);
  const number = version && readElement(der, version.end);
  if (sequence?.tag !== 0x30 || version?.tag !== 0x02 || number?.tag !== 0x04) return undefined;
  const parameters = der.subarray(number.end, sequence.end);
  const length = fieldLength(parameters);
  if (length === undefined) return undefined;

  const digits = der.subarray(number.start, number.end);
  const first = digits.findIndex((byte) => byte !== 0);
  const significant = first < 0 ? new Uint8Array() : digits.subarray(first);
  if (significant.length > length) return undefined;
  const padded = new Uint8Array(length);
  padded.set(significant, length - significant.length);
  const body = [0x02, 0x01, 0x01, ...element(0x04, padded), ...parameters];
  const base64 = new Uint8Array(element(0x30, body)).toBase64().replace(/.{64}/g, "$&\n").trimEnd();
  return `-----BEGIN EC PRIVATE KEY-----\n${base64}\n-----END EC PRIVATE KEY-----\n`;
}

/** Curves by the end of their object identifier: P-256, P-384, P-521. */
const CURVES: readonly (readonly [string, number])[] = [
  ["06082a8648ce3d030107", 32],
  ["06052b81040022", 48],
  ["06052b81040023", 66],
];

function fieldLength(parameters: Uint8Array): number | undefined {
  const hex = parameters.subarray(0, 16).toHex();
  return CURVES.find(([identifier]) => hex.includes(identifier))?.[1];
}

interface Element {
  readonly tag: number;
  readonly start: number;
  readonly end: number;
}

/** tag · length (one byte, or 0x80 + how many follow) · content */
function readElement(der: Uint8Array, at: number): Element | undefined {
  const [tag, short] = [der[at], der[at + 1]];
  if (short === undefined) return undefined;
  const count = short < 0x80 ? 0 : short & 0x7f;
  if (count > 2) return undefined;
  let length = count === 0 ? short : 0;
  for (let i = 0; i < count; i++) length = length * 256 + (der[at + 2 + i] ?? 0);
  const start = at + 2 + count;
  return start + length <= der.length ? { tag, start, end: start + length } : undefined;
}

function element(tag: number, content: ArrayLike<number>): number[] {
  const { length } = content;
  const size = length < 0x80
    ? [length]
    : length < 0x100
    ? [0x81, length]
    : [0x82, length >> 8, length & 0xff];
  return [tag, ...size, ...Array.from(content)];
}
