export type Json = Record<string, unknown>;

/** An answer that is not a success. */
export class Refusal extends Error {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Record<string, string>;

  constructor(status: number, body: unknown, headers: Record<string, string> = {}) {
    super(String(status));
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

/** A 409 with nested tags: `refuse("path/conflict/file")`; `leaf` is added to the innermost. */
export function refuse(tags: string, leaf: Json = {}): Refusal {
  const names = tags.split("/");
  const error = names.reduceRight<Json>(
    (inner, name, index) => ({
      ".tag": name,
      ...(index === names.length - 1 ? leaf : { [name]: inner }),
    }),
    {},
  );
  return new Refusal(409, { error_summary: `${tags}/${".".repeat(1 + (tags.length % 3))}`, error });
}

/** A 400, which the service tells in plain text. */
export function malformed(endpoint: string, what: string): Refusal {
  return new Refusal(400, `Error in call to API function "${endpoint}": ${what}`);
}
