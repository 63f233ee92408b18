/** Characters that move a cursor, end a line or turn the direction of what follows: a name may hold any of them. */
const UNSEEN = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

/** A text as one line of a terminal or a log, in which nothing but what is seen has a meaning: `a\nb`, `\u001b[2J`. */
export function onOneLine(text: string): string {
  return text.replace(UNSEEN, escape);
}

/** JSON that means the same, and holds no such character either. Line breaks between its parts stay. */
export function inJson(json: string): string {
  return json.replace(UNSEEN, (character) => (character === "\n" ? character : unicode(character)));
}

/** A value of plain objects, lists and texts with every text on one line, the names of fields too. */
export function withoutControls(value: unknown): object {
  return clean(value) as object;
}

function clean(value: unknown): unknown {
  if (typeof value === "string") return onOneLine(value);
  if (Array.isArray(value)) return value.map(clean);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [onOneLine(name), clean(field)]));
}

function escape(character: string): string {
  if (character === "\n") return "\\n";
  if (character === "\r") return "\\r";
  return character === "\t" ? "\\t" : unicode(character);
}

function unicode(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
