import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import type { SFTPWrapper } from "ssh2";
import { withConnection } from "./connection.ts";
import { asAsset, optionalText, reveal, same, type Context, type Inputs, type ResourceKind } from "./resource.ts";

/**
 * `command:remote:CopyToRemote`: copies a file, a folder or a text by SFTP. Deleting the resource leaves the copy.
 *
 * As with the official plugin, a folder goes into the remote path under its own name, or with a `/` at the end of the
 * source only its contents do; a file goes into the remote path if that is a folder; parents are made as needed.
 */
export const copyToRemote: ResourceKind = {
  inputs: ["connection", "source", "remotePath", "triggers"],
  defaults: {},
  async create(inputs, context) {
    await copy(inputs, context);
    return {};
  },
  async update(olds, news, context) {
    if (!same(olds.source, news.source) || !same(olds.remotePath, news.remotePath)) await copy(news, context);
    return {};
  },
  delete: () => Promise.resolve(),
};

function copy(marked: Inputs, context: Context): Promise<void> {
  const inputs = reveal(marked) as Inputs;
  const asset = asAsset(inputs.source);
  const remotePath = optionalText(inputs, "remotePath") ?? "";
  return withConnection(inputs, context, async (client) => {
    const sftp = await promisify(client.sftp.bind(client))();
    await makeFolder(sftp, path.posix.dirname(remotePath));
    const target = await kindAt(sftp, remotePath);
    if ("text" in asset) {
      if (target === "folder") throw new Error(`remote path ${remotePath} is a directory; a text needs a file's path`);
      await promisify((done: (error?: Error | null) => void) => {
        sftp.writeFile(remotePath, asset.text, done);
      })();
    } else if ((await stat(asset.path)).isDirectory()) {
      const into = asset.path.endsWith("/") ? remotePath : path.posix.join(remotePath, path.basename(asset.path));
      await copyFolder(sftp, asset.path, into);
    } else {
      const into = target === "folder" ? path.posix.join(remotePath, path.basename(asset.path)) : remotePath;
      await copyFile(sftp, asset.path, into);
    }
  });
}

async function copyFolder(sftp: SFTPWrapper, source: string, target: string): Promise<void> {
  await makeFolder(sftp, target);
  for (const entry of await readdir(source, { withFileTypes: true })) {
    const from = path.join(source, entry.name);
    const to = path.posix.join(target, entry.name);
    if ((await stat(from)).isDirectory()) await copyFolder(sftp, from, to);
    else await copyFile(sftp, from, to);
  }
}

async function copyFile(sftp: SFTPWrapper, source: string, target: string): Promise<void> {
  try {
    await promisify((done: (error?: Error | null) => void) => {
      sftp.fastPut(source, target, done);
    })();
  } catch (error) {
    throw new Error(`failed to copy file ${source} to remote path ${target}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** Makes the folder and its parents where they are missing. */
async function makeFolder(sftp: SFTPWrapper, folder: string): Promise<void> {
  const there = await kindAt(sftp, folder);
  if (there === "folder") return;
  if (there === "file") throw new Error(`remote path ${folder} exists but is not a directory`);
  await makeFolder(sftp, path.posix.dirname(folder));
  try {
    await promisify((done: (error?: Error | null) => void) => {
      sftp.mkdir(folder, done);
    })();
  } catch (error) {
    // Another copy may have made it in the meantime.
    if ((await kindAt(sftp, folder)) !== "folder") throw error;
  }
}

/** The status code of SFTP for a path that does not exist. */
const NO_SUCH_FILE = 2;

async function kindAt(sftp: SFTPWrapper, remotePath: string): Promise<"file" | "folder" | undefined> {
  try {
    return (await promisify(sftp.stat.bind(sftp))(remotePath)).isDirectory() ? "folder" : "file";
  } catch (error) {
    if ((error as { code?: unknown }).code === NO_SUCH_FILE) return undefined;
    throw error;
  }
}
