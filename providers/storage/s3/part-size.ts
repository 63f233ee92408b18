const MiB = 1024 ** 2;

/** Parts that a multipart upload may have. */
const MAX_PARTS = 10_000;

/** The largest object. */
const MAX_OBJECT_BYTES = 5 * 1024 ** 4;

/** The largest part. */
const MAX_PART_BYTES = 5 * 1024 ** 3;

/** An object beyond its estimate has parts of this fraction of what has been sent: they grow by e every so many parts. */
const GROWTH_PARTS = 1_000;

/** Parts that are left over, because sizes are rounded. */
const SPARE_PARTS = 20;

/**
 * Bytes of the part that begins at an offset, so that any object up to 5 TiB fits into 10,000 parts, whatever the estimate
 * was, with parts as small as that allows: memory holds several of them.
 *
 * Up to the estimate all parts have one size. From there they grow in proportion to what has been sent, and the first
 * size is such that the growth from the estimate to 5 TiB still fits: it takes 1,000 parts for each factor of e.
 *
 * @param offset bytes that have been sent in the parts before
 * @param estimate a guess at the size of the object in bytes; 0 where there is none
 * @param smallest bytes of a part at least
 */
export function partSize(offset: number, estimate: number, smallest: number): number {
  const guess = Math.min(Math.max(estimate, 1), MAX_OBJECT_BYTES);
  const parts = MAX_PARTS - SPARE_PARTS - GROWTH_PARTS * Math.log(MAX_OBJECT_BYTES / guess);
  const planned = parts > 0 ? guess / parts : 0;
  const grown = offset < guess ? 0 : offset / GROWTH_PARTS;
  return Math.min(MAX_PART_BYTES, Math.ceil(Math.max(smallest, planned, grown) / MiB) * MiB);
}
