import type { Body } from "./body.ts";
import { refuse } from "./refusal.ts";
import type { Json } from "./refusal.ts";

/** Compares what a request carries with the hash that it gives, if it gives one. */
export function checkHash(args: Json, { hasher }: Body): void {
  if (args.content_hash !== undefined && args.content_hash !== hasher.digest()) throw refuse("content_hash_mismatch");
}
