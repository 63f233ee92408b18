/** What is known of a secret. */
export interface Secret {
  /** What it is, for people: `a Dropbox access token`. */
  readonly name: string;
  /** Why it stands in the service's addresses: a design of the service. Undefined for those that never may. */
  readonly inUrlsBecause: string | undefined;
}

/** Characters that a secret has at least: shorter ones occur by chance. */
export const SHORTEST = 8;

const secrets = new Map<string, Secret>();

/**
 * Makes a secret known that a local service hands out or accepts, and gives it back: wherever it is seen, the run fails.
 *
 * @param inUrlsBecause why it may stand in addresses, and there alone
 */
export function registerSecret(name: string, secret: string, inUrlsBecause?: string): string {
  if (secret.length < SHORTEST) throw new RangeError(`${name} has fewer than ${SHORTEST} characters.`);
  secrets.set(secret, { name, inUrlsBecause });
  return secret;
}

/** All secrets that this process knows. */
export function registeredSecrets(): ReadonlyMap<string, Secret> {
  return secrets;
}
