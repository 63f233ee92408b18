import { Decrypter } from "age-encryption";
import { ProviderError } from "../../../providers/errors.ts";
import type { FileKeySource } from "./decrypt.ts";

/**
 * Unwraps the file key with a private key. `CONFIG` where it is no private key or none of the file's recipients,
 * `INTEGRITY` where the header is damaged.
 */
export function withIdentity(identity: string): FileKeySource {
  const decrypter = new Decrypter();
  try {
    for (const line of identity.split("\n")) if (/^\s*[^#\s]/.test(line)) decrypter.addIdentity(line.trim());
  } catch (error) {
    throw new ProviderError("CONFIG", "The encryption identity is not an age private key.", {
      cause: error,
      fix: "It must be what `age-keygen` wrote: a line that starts with AGE-SECRET-KEY-1.",
    });
  }
  // The last to be asked, so only where no identity before it matched.
  decrypter.addIdentity({
    unwrapFileKey() {
      throw new ProviderError("CONFIG", "The encryption identity is none of this backup's recipients.", {
        fix: "Use the private key of one of the recipients that the manifest names.",
      });
    },
  });
  return async (header) => {
    try {
      return await decrypter.decryptHeader(header);
    } catch (error) {
      if (error instanceof ProviderError) throw error;
      throw new ProviderError("INTEGRITY", "The header of the encrypted file is damaged.", { cause: error });
    }
  };
}
