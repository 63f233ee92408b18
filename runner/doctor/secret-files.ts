import { stat } from "node:fs/promises";
import type { Check } from "../../providers/database/database.ts";

/** The bits of a file's mode with which others than its owner may read it. */
const READ_BY_OTHERS = 0o044;

/** Checks of each file with secrets that nobody else may read it. A file that is not there is what its reader reports. */
export async function* checkSecretFiles(files: readonly string[]): AsyncGenerator<Check> {
  const user = process.getuid?.();
  for (const file of files) {
    const found = await stat(file).catch(() => undefined);
    if (found === undefined) continue;
    const mode = (found.mode & 0o777).toString(8).padStart(4, "0");
    const isOpen = (found.mode & READ_BY_OTHERS) !== 0;
    const isForeign = user !== undefined && found.uid !== 0 && found.uid !== user;
    yield {
      name: `secrets in ${file}`,
      ok: !isOpen && !isForeign,
      detail:
        `its mode is ${mode}` +
        (isOpen ? `: ${(found.mode & 0o004) === 0 ? "its group" : "every user of this machine"} can read it` : "") +
        (isForeign ? `, and it is the user ${found.uid}'s, neither root's nor that of this run (${user})` : ""),
      ...(isForeign && { fix: `chown ${user} ${file} && chmod 600 ${file}, as root, and change the secrets.` }),
      ...(isOpen && !isForeign && { fix: `chmod 600 ${file}` }),
    };
  }
}
