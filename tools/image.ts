import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { installPackages } from "./install/apt.ts";
import { findOnPath } from "./install/executables.ts";

const run = promisify(execFile);

/** This project's folder. */
const PROJECT = fileURLToPath(new URL("..", import.meta.url));

/** The Debian that the Dockerfile's own base is of. */
const SUITE = "trixie";

/** The npm that the Dockerfile's own image for it has, as near as a version says. */
const NPM = "npm@11";

/** What the image says about how it is to be run, in the words of the OCI specification. */
interface ImageConfig {
  readonly User: string;
  readonly Env: readonly string[];
  readonly Entrypoint: readonly string[];
  readonly WorkingDir: string;
  readonly Volumes: Readonly<Record<string, unknown>>;
}

/** An image that {@link buildImage} has built. */
export interface BuiltImage {
  readonly config: ImageConfig;
  /** The folder that holds the image's files. */
  readonly root: string;
  /** Bytes that a registry keeps and a task downloads: the layer, compressed by gzip. Takes some seconds. */
  compressedSize(): Promise<number>;
  /** Removes all that the build left. */
  remove(): Promise<void>;
}

/**
 * Makes sure that an image can be built here without a container engine; installs what is missing.
 *
 * @returns why it cannot be; undefined if it can
 */
export async function cannotBuildImage(): Promise<string | undefined> {
  if (process.platform !== "linux") return "Only Linux builds the image without a container engine.";
  if (process.getuid?.() !== 0) return "Only root builds the image without a container engine.";
  const release = await readFile("/etc/os-release", "utf8").catch(() => "");
  if (!/^ID=debian$/m.test(release)) return "Only Debian brings what builds the image without a container engine.";
  const programs = ["buildah", "debootstrap"];
  const found = await Promise.all(programs.map((name) => findOnPath(name)));
  if (found.includes(undefined)) await installPackages(...programs);
  return run("unshare", ["--mount", "--pid", "--fork", "true"]).then(
    () => undefined,
    (error: unknown) => `This machine lets nobody have a mount table of his own: ${String(error)}`,
  );
}

/**
 * Builds the Dockerfile really, with buildah, on a base that debootstrap made of Debian's packages, and with the PostgreSQL
 * client of Debian: neither a registry for images nor apt.postgresql.org is needed. Everything lies in a temporary folder,
 * apart from the base, which is kept in the cache; making that takes about a minute.
 *
 * @throws {Error} with what buildah wrote, when the build fails
 */
export async function buildImage(say: (line: string) => void = console.error): Promise<BuiltImage> {
  const base = await keepBase(say);
  const directory = await mkdtemp(join(tmpdir(), "provision-image-"));
  const storage = [
    "--root",
    join(directory, "storage"),
    "--runroot",
    join(directory, "run"),
    "--storage-driver",
    "vfs",
  ];
  const buildah = async (...args: string[]): Promise<string> => {
    const { stdout } = await run("buildah", [...storage, ...args], { maxBuffer: 64 * 1024 * 1024 });
    return stdout.trim();
  };
  let mounted: string | undefined;
  const remove = async (): Promise<void> => {
    if (mounted !== undefined) await buildah("umount", mounted);
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const empty = await buildah("from", "scratch");
    await buildah("add", "--quiet", empty, base, "/");
    await buildah("commit", "--quiet", "--rm", empty, "base");
    await addNpm(buildah, directory);
    const authority = process.env.NODE_EXTRA_CA_CERTS;
    await buildah(
      "build",
      "--isolation=chroot",
      "--quiet",
      "--build-arg=BASE_IMAGE=base",
      "--build-arg=NPM_IMAGE=npm",
      "--build-arg=PGDG=0",
      ...(authority === undefined ? [] : [`--secret=id=ca,src=${authority}`]),
      "--tag=provision",
      PROJECT,
    );
    const { OCIv1 } = JSON.parse(await buildah("inspect", "--type=image", "provision")) as {
      OCIv1: { config: ImageConfig };
    };
    mounted = await buildah("from", "provision");
    return {
      config: OCIv1.config,
      root: await buildah("mount", mounted),
      compressedSize: async () => {
        const folder = join(directory, "layout");
        await buildah("push", "--quiet", "provision", `dir:${folder}`);
        const manifest = JSON.parse(await readFile(join(folder, "manifest.json"), "utf8")) as {
          layers: { size: number }[];
        };
        return manifest.layers.reduce((sum, { size }) => sum + size, 0);
      },
      remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** The bytes of the image's files: all of them first, then what weighs the most. */
export async function measureImage({ root }: BuiltImage): Promise<{ name: string; bytes: number }[]> {
  const parts = {
    "the whole image": ".",
    "Node.js": "usr/local/bin/node",
    "PostgreSQL's programs": "usr/lib/postgresql",
    "what the runner depends on": "app/node_modules",
    "the runner": "app/runner",
    "the providers": "app/providers",
  };
  return Promise.all(
    Object.entries(parts).map(async ([name, path]) => {
      const { stdout } = await run("du", ["--summarize", "--bytes", join(root, path)]);
      return { name, bytes: Number.parseInt(stdout, 10) };
    }),
  );
}

/** Makes the image that the Dockerfile takes npm from: the base, this project's Node.js, and npm. */
async function addNpm(buildah: (...args: string[]) => Promise<string>, directory: string): Promise<void> {
  const prefix = join(directory, "npm");
  // Not this machine's own: Debian's package of it is spread over many folders.
  await run("npm", ["install", "--prefix", prefix, "--no-save", "--ignore-scripts", NPM]);
  const container = await buildah("from", "base");
  await buildah("copy", "--quiet", container, process.execPath, "/usr/local/bin/node");
  await buildah("copy", "--quiet", container, join(prefix, "node_modules/npm"), "/usr/local/lib/npm");
  await buildah(
    ...["run", "--isolation=chroot", container, "--"],
    ...["ln", "-s", "/usr/local/lib/npm/bin/npm-cli.js", "/usr/local/bin/npm"],
  );
  await buildah("commit", "--quiet", "--rm", container, "npm");
}

/** What Debian's slim image leaves out too. */
const LEFT_OUT = ["usr/share/doc", "usr/share/info", "usr/share/locale", "usr/share/man"];

/**
 * A small Debian as a tar file, from the cache, `$XDG_CACHE_HOME/provision` or `~/.cache/provision`. Two processes that find
 * it missing at the same moment both make it, which does no harm.
 */
async function keepBase(say: (line: string) => void): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "provision");
  const file = join(cache, `image-base-${SUITE}-v1`, "base.tar");
  if (existsSync(file)) return file;
  say(`Making the image's base, Debian ${SUITE}, once; this takes about a minute …`);
  await mkdir(dirname(file), { recursive: true });
  const directory = await mkdtemp(join(tmpdir(), "provision-base-"));
  const unfinished = `${file}.${process.pid}`;
  try {
    const root = join(directory, "root");
    await run("debootstrap", ["--variant=minbase", SUITE, root, await debianMirror()], { maxBuffer: 64 * 1024 * 1024 });
    const excludes = LEFT_OUT.map((path) => `path-exclude /${path}/*\n`).join("");
    await writeFile(join(root, "etc/dpkg/dpkg.cfg.d/slim"), excludes);
    for (const path of [...LEFT_OUT, "var/cache/apt", "var/lib/apt/lists"]) {
      await rm(join(root, path), { recursive: true, force: true });
    }
    await run("tar", ["-C", root, "-cf", unfinished, "--exclude=./dev/*", "."]);
    await rename(unfinished, file);
    return file;
  } finally {
    await rm(unfinished, { force: true });
    await rm(directory, { recursive: true, force: true });
  }
}

/** The mirror that this machine's apt takes Debian from. */
async function debianMirror(): Promise<string> {
  const { stdout } = await run("apt-get", [
    "indextargets",
    "--format",
    "$(REPO_URI)",
    "Identifier: Packages",
    "Label: Debian",
  ]);
  const [mirror] = stdout.split("\n");
  if (mirror === undefined || mirror === "") {
    throw new Error("apt has no list of Debian's packages: check /etc/apt/sources.list.d, then run apt-get update.");
  }
  return mirror;
}
