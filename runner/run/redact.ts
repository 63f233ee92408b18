const MASK = "[redacted]";

/** Shorter secrets would turn every log line into masks; nothing that deserves the name has fewer characters. */
const SHORTEST = 4;

/** Of a secret's parts, shorter ones are words that stand in any text. */
const SHORTEST_PART = 8;

/** What says in a secret of JSON whose it is, as messages must: no secret by itself. */
const PUBLIC_FIELD = /^(type|project_id|client_email|client_id|universe_domain)$|_(uri|url)$/;

/** Lines that frame a key in PEM. */
const FRAME = /^-----(BEGIN|END) [A-Z0-9 ]+-----$/;

/**
 * Words of Provision's own texts, and names that everything has by default. A mask in their place would not hide a secret
 * that is one of them but tell it, as everybody knows what stands there.
 */
const WORDS = (
  "postgres postgresql supabase provision filesystem dropbox google drive sentry webhook database databases password secret secrets " +
  "backup backups restore restored verify verified unverified damaged drill drilled prune list copy doctor latest error failed " +
  "public localhost schema table tables roles server user admin root test prod staging default template0 template1"
).split(" ");

/** The password in any URL, known or not; those in examples of Provision's own stay. */
const URL_PASSWORD = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s:@/?#"'<>]*:)(?!(?:password|…)@)[^\s@/"'<>]+(?=@)/gi;

/** What stands before a secret: the user of a URL, or what says that it is one. */
const BEFORE = String.raw`:\/\/[^\s:@/"'<>]*:|(?:pass(?:word|wd|phrase|code)?|pwd|secret|token)(?:["']?\s*[:=]\s*["']?|\s+(?:is\s+)?["']?)`;

/**
 * Takes known secrets out of any text, in every form in which a library may print them. One that is also a part of what is no
 * secret (the role `postgres` with the password `postgres`) is taken out only where a secret may stand: people must be able to
 * read the rest, and to type it.
 */
export class Redactor {
  readonly #forms = new Set<string>();
  readonly #public = new Set(WORDS);
  #everywhere: RegExp | undefined;
  #inPlace: RegExp | undefined;
  #current = false;

  /** Makes a secret known; of a URL also its password, of JSON the texts in it, and of several lines each. */
  add(secret: string): void {
    const inside = textsIn(secret);
    const whole = [secret, ...(inside ?? [])].flatMap((text) => [text, text.trim(), ...passwordOf(text)]);
    for (const form of [...whole, ...(inside ?? [secret]).flatMap(linesOf)].flatMap(forms)) {
      if (form.length >= SHORTEST) this.#forms.add(form);
    }
    for (const text of [secret, ...(inside ?? [])].flatMap(namesInUrl)) this.#public.add(text);
    this.#current = false;
  }

  /** Makes a text known that everybody may read, for instance the job's name. */
  publish(text: string): void {
    this.#public.add(text);
    this.#current = false;
  }

  /** The text without any known secret, and without the password of any URL. */
  redact(text: string): string {
    if (!this.#current) this.#build();
    const known = this.#everywhere ? text.replace(this.#everywhere, MASK) : text;
    const placed = this.#inPlace ? known.replace(this.#inPlace, `$1${MASK}`) : known;
    return placed.replace(URL_PASSWORD, `$1${MASK}`);
  }

  /** A value of plain objects, lists and texts, with every text redacted. */
  redactAll<Value>(value: Value): Value {
    if (typeof value === "string") return this.redact(value) as Value;
    if (Array.isArray(value)) return value.map((each: unknown) => this.redactAll(each)) as Value;
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, each]) => [name, this.redactAll<unknown>(each)]),
    ) as Value;
  }

  #build(): void {
    const isPublic = (form: string) => [...this.#public].some((text) => text.includes(form));
    const [weak, strong] = [true, false].map((which) => [...this.#forms].filter((form) => isPublic(form) === which));
    this.#everywhere = strong?.length ? new RegExp(anyOf(strong), "g") : undefined;
    // Not as the beginning of a longer word: "the secret databases".
    this.#inPlace = weak?.length ? new RegExp(`(${BEFORE})(?:${anyOf(weak)})(?![\\w-])`, "gi") : undefined;
    this.#current = true;
  }
}

/** A pattern for each of some texts, the longest first: a secret may be part of another. */
function anyOf(texts: readonly string[]): string {
  return [...texts]
    .sort((a, b) => b.length - a.length)
    .map((text) => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"))
    .join("|");
}

/** What a database's URL has beside its password: the role, the hosts and the database, which messages name. */
function namesInUrl(secret: string): string[] {
  const [, user = "", hosts = "", database = ""] =
    /^postgres(?:ql)?:\/\/([^:@/?#]*)(?::[^@]*)?@([^/?#]*)(?:\/([^?#]*))?/i.exec(secret.trim()) ?? [];
  return [user, hosts, database].flatMap((text) => {
    if (text === "") return [];
    try {
      return [text, decodeURIComponent(text)];
    } catch {
      return [text];
    }
  });
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
