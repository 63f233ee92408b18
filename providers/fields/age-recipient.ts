/** The kinds of age public keys that a backup can be encrypted for: what stands before the last `1` of each. */
const KINDS = ["age", "age1pq", "age1tag", "age1tagpq"];

const LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/** https://github.com/bitcoin/bips/blob/master/bip-0173.mediawiki#checksum */
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];

/**
 * Whether a text is an age public key that was copied without a mistake: of a kind that can be used here, and with the right
 * checksum, which finds any typing error. Nothing is said of who has the private key.
 */
export function isAgeRecipient(text: string): boolean {
  const end = text.lastIndexOf("1");
  const kind = text.slice(0, end);
  const data = Array.from(text.slice(end + 1), (letter) => LETTERS.indexOf(letter));
  if (!KINDS.includes(kind) || data.length < 7 || data.includes(-1)) return false;
  const letters = Array.from(kind, (letter) => letter.charCodeAt(0));
  const spread = [...letters.map((code) => code >> 5), 0, ...letters.map((code) => code & 31)];
  return checksum([...spread, ...data]) === 1;
}

function checksum(values: readonly number[]): number {
  let sum = 1;
  for (const value of values) {
    const top = sum >>> 25;
    sum = ((sum & 0x1ffffff) << 5) ^ value;
    for (const [bit, generator] of GENERATOR.entries()) if ((top >> bit) & 1) sum ^= generator;
  }
  return sum;
}
