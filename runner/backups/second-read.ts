import { ProviderError } from "../../providers/errors.ts";
import { ForeignBackupError } from "./catalogue/own-backup.ts";

/**
 * Reads something, and once more if what arrived is damaged: one bit that was flipped on its way says nothing of what is stored.
 *
 * @param read reads all of it.
 * @param warn called with what was wrong the first time, if the second reading was whole.
 * @throws ProviderError of the second reading, where that fails too.
 */
export async function readTwice<Result>(
  read: () => Promise<Result>,
  warn: (problem: ProviderError) => void,
): Promise<Result> {
  try {
    return await read();
  } catch (error) {
    if (!isDamage(error)) throw error;
    const result = await read();
    warn(error);
    return result;
  }
}

/** The same, for what is read only to see whether it is whole. The warning is left out where the first reading was. */
export async function wholeAfter(store: string, read: () => Promise<unknown>): Promise<{ readonly warning?: string }> {
  let found: { readonly warning?: string } = {};
  await readTwice(read, (problem) => {
    found = { warning: flakyTransfer(store, problem) };
  });
  return found;
}

/** Whether bytes are not what they should be. What is whole but belongs elsewhere is no damage. */
export function isDamage(error: unknown): error is ProviderError {
  return error instanceof ProviderError && error.code === "INTEGRITY" && !(error instanceof ForeignBackupError);
}

/** The warning for an object that was whole only when it was read again. */
export function flakyTransfer(store: string, { message }: ProviderError): string {
  return (
    `${store} has it whole, but the first time it arrived damaged: ${message} ` +
    "Look for a proxy that changes what it forwards, and check this machine's memory."
  );
}

/** An object that arrived damaged, and whole when it was read again: what was done with the first reading is to be done again. */
export class FlakyTransferError extends ProviderError {
  override readonly name = "FlakyTransferError";

  constructor(store: string, problem: ProviderError) {
    super("TRANSIENT", flakyTransfer(store, problem), {
      cause: problem,
      fix: "The backup is whole: try again.",
    });
  }
}
