/** A block of IPv4 addresses. */
export interface Ipv4Block {
  /** Its first address as a number. */
  readonly first: number;
  /** The bits that all of its addresses share. */
  readonly bits: number;
}

/**
 * Reads a block that can be a VPC's with two subnets: its first address and its size, /16 to /26, as in `10.213.0.0/24`. AWS has no
 * larger VPC, and no subnet smaller than /28.
 *
 * @returns undefined where the text is none, an address within a block included
 */
export function ipv4Block(cidr: string): Ipv4Block | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(cidr);
  if (match === null) return undefined;
  const [bits = 0, ...bytes] = match.slice(1).map(Number).reverse();
  if (Math.max(...bytes) > 255 || bits < 16 || bits > 26) return undefined;
  const first = bytes.reduceRight((sum, byte) => sum * 256 + byte, 0);
  return first % 2 ** (32 - bits) === 0 ? { first, bits } : undefined;
}
