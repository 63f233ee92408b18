import { encodingsOf } from "../helpers/encodings-of.ts";
import type { Shown } from "./record.ts";
import { SHORTEST, type Secret } from "../../tools/services/known-secrets.ts";

/** What nobody may see, whosever it is: a header that lets its reader in, and an address that does. */
const NEVER: readonly [name: string, pattern: RegExp][] = [
  ["an Authorization header", /\b(Bearer|Basic) [\w.~+/=-]{16}|\bSignature=[0-9a-f]{64}/],
  ["a signed URL", /[?&](X-Amz-Signature|access_token|refresh_token|client_secret)=/i],
];

/** Characters that are shown before a leak. */
const CONTEXT = 80;

/** Where secrets were seen, without the secrets: `output holds a Dropbox access token after "…"`. */
export function findLeaks(shown: Iterable<Shown>, secrets: ReadonlyMap<string, Secret>): string[] {
  const traces = tracesOf(secrets);
  const leaks = new Set<string>();
  for (const [place, text] of shown) {
    const found = NEVER.map(([name, pattern]) => ({ name, at: text.search(pattern) })).filter(({ at }) => at >= 0);
    for (let at = 0; at + SHORTEST <= text.length; at += 1) {
      for (const { trace, secret } of traces.get(text.slice(at, at + SHORTEST)) ?? []) {
        if (place === "URL" && secret.inUrlsBecause !== undefined) continue;
        if (text.startsWith(trace, at)) found.push({ name: secret.name, at });
      }
    }
    // What stands before the first of them holds none.
    const first = Math.min(...found.map(({ at }) => at));
    for (const { name } of found) {
      leaks.add(`${place} holds ${name} after ${JSON.stringify(text.slice(Math.max(0, first - CONTEXT), first))}`);
    }
  }
  return [...leaks];
}

/** What gives secrets away, by its first characters: a text is looked through once, however many secrets there are. */
function tracesOf(secrets: ReadonlyMap<string, Secret>): Map<string, { trace: string; secret: Secret }[]> {
  const traces = new Map<string, { trace: string; secret: Secret }[]>();
  for (const [text, secret] of secrets) {
    const base = encodingsOf(text).map(({ trace }) => trace);
    const inUrls = base.map((trace) => trace.replaceAll("+", "-").replaceAll("/", "_"));
    for (const trace of new Set([...base, ...inUrls])) {
      const start = trace.slice(0, SHORTEST);
      if (trace.length < SHORTEST) continue;
      traces.set(start, [...(traces.get(start) ?? []), { trace, secret }]);
    }
  }
  return traces;
}
