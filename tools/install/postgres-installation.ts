import { existsSync } from "node:fs";
import { copyFile, cp, mkdir, readdir, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/**
 * Makes an installation of PostgreSQL inside a folder, with extensions that the original does not have: a server finds its
 * files by where its own program stands. The original stays as it is.
 *
 * @param binDirectory the original server's programs
 * @param into an empty folder; any user who may read it can run the server, also where the original is in a private folder
 * @param extensions a folder with control files and scripts, which go before the original's of the same name
 * @returns the folder of the programs
 */
export async function privateInstallation(binDirectory: string, into: string, extensions?: string): Promise<string> {
  const shared = ["share", "share/postgresql"].find((folder) =>
    existsSync(join(binDirectory, "..", folder, "extension")),
  );
  const { bin, share } =
    shared === undefined
      ? await linkDebian(binDirectory, into, extensions === undefined ? [] : await readdir(extensions))
      : await copyWhole(binDirectory, into, shared);
  if (extensions !== undefined) await cp(extensions, join(share, "extension"), { recursive: true });
  return bin;
}

interface Installation {
  readonly bin: string;
  readonly share: string;
}

/** The programs of a wheel look for the libraries that it brings in a folder beside the package. */
async function copyWhole(binDirectory: string, into: string, share: string): Promise<Installation> {
  const original = join(binDirectory, "..");
  const root = join(into, "package", basename(original));
  await cp(original, root, { recursive: true, verbatimSymlinks: true });
  const besidePackage = await readdir(join(original, "../.."));
  for (const libraries of besidePackage.filter((name) => name.endsWith(".libs")))
    await cp(join(original, "../..", libraries), join(into, libraries), { recursive: true, verbatimSymlinks: true });
  return { bin: join(root, "bin"), share: join(root, share) };
}

/** Debian's packages keep what is shared apart from the programs, and everybody may read them: links will do. */
async function linkDebian(binDirectory: string, into: string, replaced: readonly string[]): Promise<Installation> {
  const version = basename(dirname(binDirectory));
  const root = join(into, "lib/postgresql", version);
  const share = join(into, "share/postgresql", version);
  const original = join("/usr/share/postgresql", version);
  await mkdir(join(root, "bin"), { recursive: true });
  await mkdir(join(share, "extension"), { recursive: true });
  await symlink(join(binDirectory, "../lib"), join(root, "lib"));
  // A program that is a link is looked for at the link's end.
  for (const program of ["postgres", "initdb"]) await copyFile(join(binDirectory, program), join(root, "bin", program));
  await linkAll(original, share, ["extension"]);
  // A copy over a link would change the machine's own file.
  await linkAll(join(original, "extension"), join(share, "extension"), replaced);
  return { bin: join(root, "bin"), share };
}

async function linkAll(from: string, to: string, without: readonly string[]): Promise<void> {
  const names = (await readdir(from)).filter((name) => !without.includes(name));
  await Promise.all(names.map((name) => symlink(join(from, name), join(to, name))));
}
