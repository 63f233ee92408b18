const MASK = "[redacted]";

/** Shorter secrets would turn every log line into masks; nothing that deserves the name has fewer characters. */
const SHORTEST = 4;

/** Of a secret's parts, shorter ones are words that stand in any text. */
const SHORTEST_PART = 8;

/** What says in a secret of JSON whose it is, as messages must: no secret by itself. */
const PUBLIC_FIELD = /^(type|project_id|client_email|client_id|universe_domain)$|_(uri|url)$/;

/** Lines that frame a key in PEM. */
const FRAME = /^-----(BEGIN|END) [A-Z0-9 ]+-----$/;

/** Takes known secrets out of any text, in every form in which a library may print them. */
export class Redactor {
  readonly #forms = new Set<string>();
  #pattern: RegExp | undefined;

  /** Makes a secret known; of a URL also its password, of JSON the texts in it, and of several lines each. */
  add(secret: string): void {
    const inside = textsIn(secret);
    const whole = [secret, ...(inside ?? [])].flatMap((text) => [text, text.trim(), ...passwordOf(text)]);
    for (const form of [...whole, ...(inside ?? [secret]).flatMap(linesOf)].flatMap(forms)) {
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

/** The texts in a secret that is JSON, such as the key of a service account; undefined for any other. */
function textsIn(secret: string): string[] | undefined {
  if (!/^\s*[[{]/.test(secret)) return undefined;
  const found: string[] = [];
  try {
    JSON.parse(secret, (field, value: unknown) => {
      if (typeof value === "string" && value.length >= SHORTEST_PART && !PUBLIC_FIELD.test(field)) found.push(value);
      return value;
    });
  } catch {
    return undefined;
  }
  return found;
}

/** The lines of a text that has several, such as a private key: a log may cut it into them. */
function linesOf(text: string): string[] {
  const lines = text.split(/\r\n|\r|\n/).map((line) => line.trim());
  if (lines.length === 1) return [];
  return lines.filter((line) => line.length >= SHORTEST_PART && !FRAME.test(line));
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
