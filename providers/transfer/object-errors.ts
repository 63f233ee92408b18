import { ProviderError } from "../errors.ts";

/**
 * The error for a key that must not be overwritten.
 *
 * @param place the store, for people
 * @param name what is there under another spelling, where the store has its own rules of equal names
 */
export function exists(key: string, place: string, name?: string): ProviderError {
  const as = name === undefined || key.endsWith(name) ? "" : `, as ${name}`;
  return new ProviderError("CONFLICT", `${key} already exists in ${place}${as}; objects are never overwritten.`, {
    fix: "Use another key, or remove the object first.",
  });
}

/**
 * The error for a key without an object.
 *
 * @param place the store, for people
 * @param check what else to check: `the destination's bucket and prefix`
 */
export function missing(key: string, place: string, check: string): ProviderError {
  return new ProviderError("NOT_FOUND", `There is no object ${key} in ${place}.`, {
    fix: `List the objects to see which there are, and check ${check}.`,
  });
}
