/** Numbers from 0 up to 1, the same for the same seed (xorshift32): good for jitter, for nothing secret. */
export function seededRandom(seed: number): () => number {
  // xorshift stays at 0 for ever, so 0 is given another start; the multiplication sets neighbouring seeds apart.
  let state = Math.imul(seed | 0, 0x9e3779b1) || 0x2545f491;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 0x1_0000_0000;
  };
  for (let i = 0; i < 8; i++) next();
  return next;
}
