import { stat } from "node:fs/promises";
import type { Check } from "../../providers/database/database.ts";

/** The bits of a file's mode with which every user of the machine may read it. */
const READ_BY_ALL = 0o004;

/** Checks of each file with secrets that nobody else may read it. A file that is not there is what its reader reports. */
export async function* checkSecretFiles(files: readonly string[]): AsyncGenerator<Check> {
  for (const file of files) {
    const found = await stat(file).catch(() => undefined);
    if (found === undefined) continue;
    const mode = (found.mode & 0o777).toString(8).padStart(4, "0");
    const open = (found.mode & READ_BY_ALL) !== 0;
    yield {
      name: `secrets in ${file}`,
      ok: true,
      detail: open ? `its mode is ${mode}: every user of this machine can read it` : `its mode is ${mode}`,
      ...(open && { fix: `chmod 600 ${file}, as the user that runs the backups.` }),
    };
  }
}
