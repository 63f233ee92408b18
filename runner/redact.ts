const MASK = "[redacted]";

/** Shorter secrets would turn every log line into masks; nothing that deserves the name has fewer characters. */
const SHORTEST = 4;

/** Takes known secrets out of any text, in every form in which a library may print them. */
export class Redactor {
  readonly #forms = new Set<string>();
  #pattern: RegExp | undefined;

  /** Makes a secret known; of a URL also its password. */
  add(secret: string): void {
    for (const form of [secret, secret.trim(), ...passwordOf(secret)].flatMap(forms)) {
      if (form.length >= SHORTEST) this.#forms.add(form);
    }
    // The longest first: a secret may be part of another.
    const alternatives = [...this.#forms]
      .sort((a, b) => b.length - a.length)
      .map((form) => form.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
    this.#pattern = alternatives.length > 0 ? new RegExp(alternatives.join("|"), "g") : undefined;
  }

  /** The text without any known secret. */
  redact(text: string): string {
    return this.#pattern ? text.replace(this.#pattern, MASK) : text;
  }
}

/** The ways in which a value may appear: plain, inside JSON, URL-encoded, and in base64 at each of its three alignments. */
function forms(value: string): string[] {
  const base64 = [0, 1, 2].flatMap((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), Buffer.from(value)]).toString("base64");
    // The characters at the edges also depend on what stands before and behind.
    const inner = text.replace(/=+$/, "").slice(shift === 0 ? 0 : shift + 1, -1);
    return [inner, inner.replaceAll("+", "-").replaceAll("/", "_")];
  });
  return [value, JSON.stringify(value).slice(1, -1), encodeURIComponent(value), encodeURI(value), ...base64];
}

function passwordOf(secret: string): string[] {
  const userinfo = [
    /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*?:([^/?#]*)@/i,
    // libpq, and so the database provider, ends it at the first @ and takes ? and # as they are.
    /^[a-z][a-z0-9+.-]*:\/\/[^/@:]*:([^/@]*)@/i,
  ].map((form) => form.exec(secret)?.[1]);
  const parameter = /[?&](?:password|sslpassword)=([^&#]*)/i.exec(secret)?.[1];
  return [...userinfo, parameter].flatMap((text) => {
    if (!text) return [];
    try {
      return [text, decodeURIComponent(text)];
    } catch {
      return [text];
    }
  });
}
