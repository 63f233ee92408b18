/** The stack's configuration as Pulumi hands it over. */
export interface RawSettings {
  readonly stack: string;
  /** Texts by key without the namespace; lists and objects are JSON. */
  readonly values: ReadonlyMap<string, string>;
  /** The region of AWS (`aws:region`, or AWS_REGION); undefined where nothing names one. */
  readonly region: string | undefined;
  /** Whether a key's value holds anything encrypted. */
  isSecret(key: string): boolean;
}

/** The value of a text that is JSON, else the text: Pulumi hands over plain texts and structures alike. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** Whether a value has fields. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
