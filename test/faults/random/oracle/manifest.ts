import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";

/** An object of a backup as its manifest describes it, of what the oracle needs. */
export interface ListedObject {
  readonly file: string;
  readonly format: string;
  readonly database: string | undefined;
  readonly encrypted: boolean;
  readonly stored: { readonly size: number; readonly sha256: string };
  /** With one of the two sums. */
  readonly plain: { readonly size: number } & ({ readonly sha256: string } | { readonly crc32: string });
}

/** A manifest as it reads, of what the oracle needs. */
export interface ReadManifest {
  readonly id: string;
  readonly stack: string;
  readonly job: string;
  readonly objects: readonly ListedObject[];
}

/** Bytes beyond which no manifest of these databases can be honest. */
const LARGEST = 1024 * 1024;

/** Reads a manifest. @throws {Error} where it is none, or a single byte of it was changed */
export function readManifest(file: string): ReadManifest {
  if (statSync(file).size > LARGEST) throw new Error("the manifest is larger than any of these jobs");
  const bytes = readFileSync(file, "utf8");
  const { checksum, ...json } = object(JSON.parse(bytes));
  const sum = createHash("sha256").update(JSON.stringify(json)).digest("hex");
  if (checksum !== `sha256:${sum}`) throw new Error(`its checksum is ${String(checksum)}, and its content has ${sum}`);
  if (bytes !== `${JSON.stringify({ ...json, checksum }, null, 2)}\n`) throw new Error("its white space was changed");
  const { format, objects } = json;
  if (!Array.isArray(objects) || objects.length === 0) throw new Error("the manifest has no objects");
  // A runner of an earlier version goes by the format.
  const due = JSON.stringify(objects).includes('"crc32":') ? 2 : 1;
  if (format !== due) throw new Error(`its format is ${String(format)}, and by its sums it is ${due}`);
  return {
    id: text(json.id),
    stack: text(json.stack),
    job: text(json.job),
    objects: objects.map((each: unknown) => {
      const entry = object(each);
      return {
        file: text(entry.file),
        format: text(entry.format),
        database: entry.database === undefined ? undefined : text(entry.database),
        encrypted: entry.encryption === "age",
        stored: measured(entry.stored),
        plain: measuredPlain(entry.plain),
      };
    }),
  };
}

function measured(value: unknown): { size: number; sha256: string } {
  const { size, sha256 } = object(value);
  if (typeof size !== "number") throw new Error("a size is no number");
  return { size, sha256: text(sha256) };
}

function measuredPlain(value: unknown): ListedObject["plain"] {
  const { size, sha256, crc32 } = object(value);
  if (crc32 === undefined) return measured(value);
  if (sha256 !== undefined) throw new Error("an object has two sums");
  if (typeof size !== "number") throw new Error("a size is no number");
  return { size, crc32: text(crc32) };
}

function object(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("something is no object");
  return value as Record<string, unknown>;
}

function text(value: unknown): string {
  if (typeof value !== "string" || value === "") throw new Error("something is no text");
  return value;
}
