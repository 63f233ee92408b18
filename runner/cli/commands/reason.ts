import { InvalidArgumentError } from "commander";

/** Characters of a reason: enough for a sentence with a case's number, and little enough for a line of `list`. */
const LONGEST_REASON = 300;

/** A person's reason, as an option has it. */
export function parseReason(text: string): string {
  const reason = text.trim();
  if (reason === "" || reason.length > LONGEST_REASON || /\p{Cc}/u.test(reason)) {
    throw new InvalidArgumentError(`Expected one line of 1 to ${LONGEST_REASON} characters.`);
  }
  return reason;
}
