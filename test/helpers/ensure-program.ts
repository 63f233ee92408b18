import { installPackages, mayInstallPackages } from "../../tools/install/apt.ts";
import { hasProgram } from "./programs.ts";

/**
 * Whether a program is there, which is installed from Debian's or Ubuntu's packages if it is not and this process may do
 * that. Where it may not, prints what is therefore not tested and how to get it.
 */
export async function ensureProgram(name: string, debianPackage: string): Promise<boolean> {
  const mayInstall = mayInstallPackages();
  const otherwise = mayInstall
    ? "installing it"
    : `what needs it is not tested; install it, for instance with \`sudo apt-get install ${debianPackage}\``;
  if (hasProgram(name, otherwise)) return true;
  if (!mayInstall) return false;
  await installPackages(debianPackage);
  return true;
}
