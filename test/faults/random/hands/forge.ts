import { createHash, createHmac, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { shell } from "../oracle/programs.ts";
import type { Workplace } from "../servers/workplace.ts";

/** A document of a store as it reads. */
export type Document = Record<string, unknown>;

/** With what a document is signed: the key's 64 digits, and the mark that stands before each of its signatures. */
export interface Signer {
  readonly mark: string;
  readonly key: string;
}

/** A document without its seal. */
export function openDocument(text: string): Document {
  const all = Object.entries(JSON.parse(text) as Document);
  return Object.fromEntries(all.filter(([name]) => name !== "checksum" && name !== "signature"));
}

/** The mark that the runner puts before the signatures of its key. */
export function markOf(text: string): string {
  return /"signature": "hmac-sha256:([0-9a-f]{8}):/.exec(text)?.[1] ?? "00000000";
}

/** The text of a document as somebody writes it who knows the format: with its checksum, and signed where there is a key. */
export function seal(document: Document, signer?: Signer): string {
  const text = `${JSON.stringify(document, null, 2).slice(0, -"\n}".length)},\n}\n`;
  const hmac = signer && createHmac("sha256", Buffer.from(signer.key, "hex")).update(text).digest("hex");
  const signed = signer ? { ...document, signature: `hmac-sha256:${signer.mark}:${hmac ?? ""}` } : document;
  const checksum = `sha256:${createHash("sha256").update(JSON.stringify(signed)).digest("hex")}`;
  return `${JSON.stringify({ ...signed, checksum }, null, 2)}\n`;
}

/** Code that leaves a mark wherever it runs with the rights of a superuser, or of a role that may run programs. */
export function markingCode(marker: string): string {
  const touch = `BEGIN COPY (SELECT 1) TO PROGRAM 'touch ${marker}'; EXCEPTION WHEN OTHERS THEN NULL; END;`;
  const become = [
    "RESET ROLE",
    "RESET SESSION AUTHORIZATION",
    "SET ROLE postgres",
    "SET SESSION AUTHORIZATION postgres",
  ];
  return [touch, ...become.map((how) => `BEGIN EXECUTE '${how}'; ${touch} EXCEPTION WHEN OTHERS THEN NULL; END;`)].join(
    "\n",
  );
}

/** Which object is forged, as its manifest describes it. */
export interface Forged {
  readonly format: string;
  readonly encrypted: boolean;
  readonly stored: { readonly size: number };
  readonly plain: { readonly size: number };
}

/** How often the padding is changed until the size fits. */
const TRIES = 8;

/**
 * An archive that pg_restore takes, and whose code leaves marks: a file, and a line in the server's log. Behind it is padding, so that it
 * has the size that the manifest tells, stored and decoded, where that can be had.
 *
 * @param recipients whom it is encrypted for, as the manifest tells anybody
 */
export async function forgeArchive(
  { world: { postgres } }: Workplace,
  object: Forged,
  recipients: readonly string[],
  marks: { readonly file: string; readonly log: string },
): Promise<Buffer> {
  const work = mkdtempSync("/tmp/faults-forge-");
  const name = `forgery_${randomBytes(4).toString("hex")}`;
  const body = (code: string) =>
    `CREATE OR REPLACE FUNCTION public.act(x int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN ${code} RETURN true; END $$;`;
  try {
    await postgres.sql("postgres", `CREATE DATABASE ${name} TEMPLATE template0;`);
    await postgres.sql(
      name,
      `${body("")} CREATE TABLE public.acting (x int CHECK (public.act(x))); INSERT INTO public.acting VALUES (1);
       ${body(`RAISE LOG '${marks.log}'; ${markingCode(marks.file)}`)}`,
    );
    const dump =
      object.format === "pg_dump-directory"
        ? '"$1/pg_dump" -Fd -f "$2/dir" "$3"; tar -C "$2/dir" -cf "$2/dump" .'
        : '"$1/pg_dump" -Fc --compress=0 -f "$2/dump" "$3"';
    const { ok, errors } = await shell(dump, [postgres.programs, work, name], {
      ...process.env,
      ...postgres.clientEnvironment(),
    });
    if (!ok) throw new Error(`No archive could be forged: ${errors}`);
    return await pad(work, object, recipients);
  } finally {
    rmSync(work, { recursive: true, force: true });
    await postgres.sql("postgres", `DROP DATABASE IF EXISTS ${name} WITH (FORCE);`);
  }
}

/** Appends bytes that do not compress, for the stored size, and such that do, for the other. */
async function pad(work: string, object: Forged, recipients: readonly string[]): Promise<Buffer> {
  const room = Math.max(0, object.plain.size - statSync(join(work, "dump")).size);
  const encrypt = object.encrypted ? 'age "${@:4}"' : "cat";
  const line = `cd "$1"
    { cat dump; head -c "$3" /dev/zero; head -c "$2" noise; } > plain; zstd -qc plain | ${encrypt} > stored`;
  const to = recipients.flatMap((recipient) => ["-r", recipient]);
  const most = Math.min(room, object.stored.size);
  writeFileSync(join(work, "noise"), randomBytes(most));
  let noise = Math.max(0, Math.min(room, object.stored.size - 4_000));
  for (let tries = 0; ; tries += 1) {
    const { ok, errors } = await shell(line, [work, String(noise), String(room - noise), ...to]);
    if (!ok) throw new Error(`No archive could be forged: ${errors}`);
    const stored = join(work, "stored");
    const off = object.stored.size - statSync(stored).size;
    const next = Math.max(0, Math.min(most, noise + off));
    if (off === 0 || next === noise || tries >= TRIES) return readFileSync(stored);
    noise = next;
  }
}
