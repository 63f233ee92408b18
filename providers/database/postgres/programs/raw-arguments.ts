import { bytesOf, hasRawBytes } from "../connect/raw-text.ts";

/** Turns each argument from the notation of printf's %b into its bytes, and becomes the command that they are. */
const SCRIPT = 'for a do shift; b=$(printf "%b." "$a"); set -- "$@" "${b%.}"; done; exec "$@"';

/** A command whose arguments may have raw bytes in them; see raw-text.ts. Node.js itself passes on UTF-8 alone. */
export function withRawArguments(command: string, args: readonly string[]): [command: string, args: readonly string[]] {
  const all = [command, ...args];
  if (!all.some(hasRawBytes)) return [command, args];
  return ["/bin/sh", ["-c", SCRIPT, "sh", ...all.map(notation)]];
}

function notation(argument: string): string {
  return Array.from(bytesOf(argument), (byte) =>
    byte === 0x5c ? String.raw`\\` : byte < 0x80 ? String.fromCharCode(byte) : `\\0${byte.toString(8)}`,
  ).join("");
}
