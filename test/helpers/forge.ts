import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Encrypter } from "age-encryption";
import type { Postgres } from "../../tools/postgres.ts";
import { bytesOf } from "./bytes.ts";
import { emptyDatabase, sql } from "./databases.ts";

/** An archive that runs a program where it is restored by a superuser: `has run` says whether it has. */
export interface Evil {
  readonly archive: Buffer;
  readonly hasRun: () => boolean;
  /** Forgets that it has run. */
  readonly reset: () => void;
}

/** Makes a small archive with pg_dump, whose table has a CHECK that runs a program of the server's user for each row. */
export async function evilArchive(postgres: Postgres): Promise<Evil> {
  const mark = `/tmp/provision-forged-${randomUUID()}`;
  await emptyDatabase(postgres, "evil");
  await sql(
    postgres,
    "evil",
    `CREATE FUNCTION public.own(int) RETURNS boolean LANGUAGE plpgsql AS
       $$BEGIN COPY (SELECT 1) TO PROGRAM 'cat > ${mark}'; RETURN true; END$$;
     CREATE TABLE public.loot (n int CHECK (public.own(n)));
     INSERT INTO public.loot VALUES (1)`,
  );
  rmSync(mark);
  const archive = execFileSync(
    join(postgres.binDirectory, "pg_dump"),
    ["--format=custom", "--compress=0", "--no-password", "--dbname", postgres.url("evil")],
    { maxBuffer: 1 << 24 },
  );
  return {
    archive,
    hasRun: () => existsSync(mark),
    reset: () => {
      rmSync(mark, { force: true });
    },
  };
}

const BLOCK = 128 * 1024;
const FRAME_HEADER = Buffer.from("28b52ffd0058", "hex");

/** One zstd frame of exactly so many bytes that begins with some bytes; padding follows them. Its blocks are raw, so that nothing has to be guessed. */
export function frameOf(beginning: Buffer, size: number): Buffer {
  const parts = [FRAME_HEADER];
  const random = bytesOf(size, 7);
  const content = Buffer.concat([beginning, random]);
  let left = size - FRAME_HEADER.length;
  for (let at = 0; left > 0;) {
    let length = Math.min(BLOCK, left - 3);
    // A block's header needs three bytes, too.
    if (left - 3 - length > 0 && left - 3 - length < 4) length -= 4;
    left -= 3 + length;
    const header = Buffer.alloc(3);
    header.writeUIntLE((length << 3) | (left === 0 ? 1 : 0), 0, 3);
    parts.push(header, content.subarray(at, at + length));
    at += length;
  }
  return Buffer.concat(parts);
}

/** The same, encrypted to the recipients: all of it has exactly so many bytes. A recipient is public, so no key is needed. */
export async function sealedFrameOf(beginning: Buffer, size: number, recipients: readonly string[]): Promise<Buffer> {
  const encrypter = new Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  const overhead = (await encrypter.encrypt(new Uint8Array(0))).length;
  // The empty file has one chunk; each further one takes 16 bytes more.
  let plain = size - overhead;
  while (overhead + plain + 16 * (Math.ceil(plain / 65_536) - 1) > size) plain -= 1;
  const sealed = Buffer.from(await encrypter.encrypt(frameOf(beginning, plain)));
  if (sealed.length !== size) throw new Error(`The forged object has ${sealed.length} bytes instead of ${size}.`);
  return sealed;
}
