import { isDeepStrictEqual } from "node:util";

/** Properties as they travel between the engine and a plugin: JSON, with marked objects for secrets and assets. */
export type Inputs = Readonly<Record<string, unknown>>;

/** What an operation gets beside the properties. */
export interface Context {
  readonly urn: string;
  /** Aborted when the user interrupts the engine. */
  readonly signal: AbortSignal;
}

/** One of the plugin's resource types. The operations return the outputs that are not inputs. */
export interface ResourceKind {
  /** The names of the supported inputs. */
  readonly inputs: readonly string[];
  readonly defaults: Inputs;
  create(inputs: Inputs, context: Context): Promise<Inputs>;
  update(olds: Inputs, news: Inputs, context: Context): Promise<Inputs>;
  delete(state: Inputs, context: Context): Promise<void>;
}

/** The key that marks an object of another kind on the wire, and the marks themselves; Pulumi's protocol fixes them. */
const MARK = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";
const ASSET = "c44067f5952c0a294b673a41bacd8c17";
const ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7";

function isObject(value: unknown): value is Inputs {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A copy of the value without the marks of secrets, for use; it must not go back to the engine. */
export function reveal(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reveal);
  if (!isObject(value)) return value;
  if (value[MARK] === SECRET) return reveal(value.value);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, reveal(item)]));
}

/** A file or folder, or a text, that a program hands to a resource. */
export type Asset = { readonly path: string } | { readonly text: string };

/** The asset that a revealed property holds. @throws {Error} if it holds something else, or an asset from a URL */
export function asAsset(value: unknown): Asset {
  if (isObject(value) && (value[MARK] === ASSET || value[MARK] === ARCHIVE)) {
    const { path, text } = value;
    if (typeof path === "string" && path !== "") return { path };
    if (typeof text === "string" && value[MARK] === ASSET) return { text };
  }
  throw new Error("source must be a FileAsset, a StringAsset or a FileArchive");
}

/** Whether two values of a property are equal; an asset counts by its content alone. */
export function same(left: unknown, right: unknown): boolean {
  return isDeepStrictEqual(comparable(left), comparable(right));
}

function comparable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(comparable);
  if (!isObject(value)) return value;
  if (value[MARK] === ASSET || value[MARK] === ARCHIVE) return { [MARK]: value[MARK], hash: value.hash };
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, comparable(item)]));
}

/** A text among revealed properties; undefined if it is not given. @throws {Error} if it is not a text */
export function optionalText(inputs: Inputs, name: string): string | undefined {
  const value = inputs[name];
  if (value === undefined || value === null || typeof value === "string") return value ?? undefined;
  throw new Error(`${name} must be a text`);
}
