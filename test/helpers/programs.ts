import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Whether a program is on the PATH; where it is not, prints what is therefore not tested. */
export function hasProgram(name: string, otherwise: string): boolean {
  const found = (process.env.PATH ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (!found) console.warn(`${name} is not installed: ${otherwise}.`);
  return found;
}
