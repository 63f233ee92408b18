import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { filesBelow } from "../files-below.ts";
import { readManifest, type ListedObject, type ReadManifest } from "./manifest.ts";
import { shell } from "./programs.ts";

/** What the oracle must know of a job to judge its backups. */
export interface Expected {
  readonly stack: string;
  readonly job: string;
  readonly encrypted: boolean;
  /** The key, in hexadecimal digits, that signs its manifests; undefined where none does. */
  readonly signingKey: string | undefined;
  /** Databases of which it must have an archive. */
  readonly databases: readonly string[];
  /** SHA-256 of the files beside the database, by content; undefined for a job without. */
  readonly files: readonly string[] | undefined;
  /** File with the age identity. */
  readonly identityFile: string;
  /** Folder of pg_restore. */
  readonly programs: string;
}

/** A folder in a store, as it is. */
export interface JudgedBackup {
  readonly id: string;
  readonly folder: string;
  /** What makes it no backup, or a bad one; empty: every object is what the manifest says, and can be read to its end. */
  readonly faults: readonly string[];
  /** What a whole backup of this job would have too. */
  readonly lacks: readonly string[];
  /** Whether there is a manifest, good or bad. */
  readonly hasManifest: boolean;
  /** Names of the records beside it. */
  readonly records: readonly string[];
  readonly manifest: ReadManifest | undefined;
}

/** Names of backups' folders. */
const ID = /^\d{8}T\d{6}Z-[0-9a-f]{6}$/;

/** Judges the backups of a store. What was judged before and has not changed since is not read again. */
export class Judge {
  readonly expected: Expected;
  /** Records that somebody else has put there, as `backup/name`. */
  readonly foreign = new Set<string>();
  readonly #known = new Map<string, { stamp: string; judged: JudgedBackup }>();

  constructor(expected: Expected) {
    this.expected = expected;
  }

  /** All folders of the job in a store, the ids in order. @param root the store as a folder */
  async judge(root: string): Promise<JudgedBackup[]> {
    const folder = join(root, this.expected.stack, this.expected.job);
    const names = existsSync(folder) ? readdirSync(folder).filter((name) => ID.test(name)) : [];
    // Stores that know no folders show none that is empty.
    const ids = names.filter((name) => filesBelow(join(folder, name)).length > 0);
    const judged: JudgedBackup[] = [];
    for (const id of ids.sort()) judged.push(await this.#judgeOne(join(folder, id), id));
    return judged;
  }

  async #judgeOne(folder: string, id: string): Promise<JudgedBackup> {
    const stamp = this.#stampOf(folder);
    const known = this.#known.get(folder);
    if (known?.stamp === stamp) return known.judged;
    const records = readdirSync(folder).filter(
      (name) => /^(verified|damaged|drilled|drill-failed|copied)-/.test(name) && !this.foreign.has(`${id}/${name}`),
    );
    const about = { id, folder, records };
    const judged: JudgedBackup = existsSync(join(folder, "manifest.json"))
      ? { ...about, hasManifest: true, ...(await this.#examine(folder, id)) }
      : { ...about, hasManifest: false, faults: ["it has no manifest"], lacks: [], manifest: undefined };
    this.#known.set(folder, { stamp, judged });
    return judged;
  }

  /** Sizes and times of everything that the verdict depends on: contents of files lie beside all backups. */
  #stampOf(folder: string): string {
    const folders = this.expected.files === undefined ? [folder] : [folder, join(folder, "../files")];
    return folders
      .filter((each) => existsSync(each))
      .flatMap((each) =>
        readdirSync(each, { recursive: true, encoding: "utf8" }).map((name) => {
          const { size, mtimeNs, ino } = statSync(join(each, name), { bigint: true, throwIfNoEntry: false }) ?? {};
          return `${name} ${String(size)} ${String(mtimeNs)} ${String(ino)}`;
        }),
      )
      .join("\n");
  }

  async #examine(folder: string, id: string): Promise<Pick<JudgedBackup, "faults" | "lacks" | "manifest">> {
    let manifest: ReadManifest;
    try {
      manifest = readManifest(join(folder, "manifest.json"));
    } catch (error) {
      return { faults: [`manifest.json: ${String(error)}`], lacks: [], manifest: undefined };
    }
    const { stack, job, encrypted, signingKey, databases, files } = this.expected;
    const faults: string[] = [];
    if (signingKey !== undefined) faults.push(...(await faultsOfSignature(join(folder, "manifest.json"), signingKey)));
    if (manifest.id !== id || manifest.stack !== stack || manifest.job !== job) {
      faults.push(`the manifest is of ${manifest.stack}/${manifest.job}/${manifest.id}`);
    }
    const contents: string[] = [];
    for (const object of manifest.objects) {
      // Of the index of files only what tells something of them is encrypted, line by line.
      if (object.format !== "file-index" && object.encrypted !== encrypted)
        faults.push(`${object.file}: encrypted is ${object.encrypted}`);
      faults.push(...(await this.#examineObject(folder, object, contents)).map((fault) => `${object.file}: ${fault}`));
    }
    const dumps = manifest.objects.filter(({ format }) => format.startsWith("pg_dump-"));
    const lacks = databases.filter((name) =>
      databases.length === 1 ? dumps.length !== 1 : !dumps.some(({ database }) => database === name),
    );
    if (!manifest.objects.some(({ format }) => format === "roles-sql")) lacks.push("roles");
    lacks.push(...(files ?? []).filter((content) => !contents.includes(content)).map((sha) => `a file of ${sha}`));
    return { faults, lacks, manifest };
  }

  async #examineObject(folder: string, object: ListedObject, contents: string[]): Promise<string[]> {
    const path = join(folder, object.file);
    if (!existsSync(path)) return ["it is not there"];
    const stored = await sha256Of(path);
    if (stored !== object.stored.sha256) return [`sha256sum says ${stored}, the manifest ${object.stored.sha256}`];
    const work = mkdtempSync("/tmp/faults-oracle-");
    const plain = join(work, "plain");
    try {
      const decoded = await this.decode(path, object.encrypted, plain);
      if (!decoded.ok) return [`it cannot be decoded: ${decoded.errors}`];
      const [program, sum, due] =
        "crc32" in object.plain
          ? ["gzip", await crc32Of(plain), object.plain.crc32]
          : ["sha256sum", await sha256Of(plain), object.plain.sha256];
      if (sum !== due) return [`decoded, ${program} says ${sum}, the manifest ${due}`];
      const restore = join(this.expected.programs, "pg_restore");
      switch (object.format) {
        case "pg_dump-custom":
          return faultOf(await shell('"$1" -f /dev/null "$2"', [restore, plain]));
        case "pg_dump-directory":
          return faultOf(
            await shell('mkdir "$2/dump"; tar -x -f "$2/plain" -C "$2/dump"; "$1" -f /dev/null "$2/dump"', [
              restore,
              work,
            ]),
          );
        case "roles-sql":
          return readFileSync(plain, "utf8").includes("CREATE ROLE") ? [] : ["it creates no role"];
        case "file-index":
          return await this.#examineFiles(join(folder, ".."), readFileSync(plain, "utf8"), contents);
        default:
          return [`the oracle does not know the format ${object.format}`];
      }
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  }

  /** Decodes an object into a file, as a person would. */
  decode(path: string, encrypted: boolean, into: string) {
    const line = encrypted ? 'age -d -i "$3" "$1" | zstd -dqc > "$2"' : 'zstd -dqc < "$1" > "$2"';
    return shell(line, [path, into, this.expected.identityFile]);
  }

  async #examineFiles(job: string, index: string, contents: string[]): Promise<string[]> {
    const { encrypted } = this.expected;
    const faults: string[] = [];
    for (const line of index.split("\n").filter((each) => each !== "")) {
      const { object } = JSON.parse(line) as { object?: unknown };
      if (typeof object !== "string") continue;
      const path = join(job, object);
      const content = existsSync(path)
        ? await shell(encrypted ? 'age -d -i "$2" "$1" | zstd -dqc | sha256sum' : 'zstd -dqc < "$1" | sha256sum', [
            path,
            this.expected.identityFile,
          ])
        : undefined;
      if (content?.ok === true) contents.push(content.output.slice(0, 64));
      else faults.push(`${object}: ${content?.errors ?? "it is not there"}`);
    }
    return faults;
  }
}

/** Checks a manifest's signature as docs/security.md tells a person to. */
async function faultsOfSignature(manifest: string, key: string): Promise<string[]> {
  const { output } = await shell(
    `grep -vE '^  "(signature|checksum)": ' "$1" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$2"`,
    [manifest, key],
  );
  const [due = "no signature"] = /[0-9a-f]{64}/.exec(output) ?? [];
  const [, signed = "nothing"] =
    /^ {2}"signature": "hmac-sha256:[0-9a-f]{8}:([0-9a-f]{64})"/m.exec(readFileSync(manifest, "utf8")) ?? [];
  return signed === due ? [] : [`openssl gives the signature ${due}, and the manifest says ${signed}`];
}

async function sha256Of(path: string): Promise<string> {
  const { ok, output, errors } = await shell('sha256sum < "$1"', [path]);
  if (!ok) throw new Error(`sha256sum failed: ${errors}`);
  return output.slice(0, 64);
}

/** gzip ends its output with the CRC-32 of its input and the input's size, four bytes each. */
async function crc32Of(path: string): Promise<string> {
  const line = 'gzip --fast < "$1" | tail --bytes 8 | od --address-radix n --read-bytes 4 --endian little --format x4';
  const { ok, output, errors } = await shell(line, [path]);
  if (!ok) throw new Error(`gzip failed: ${errors}`);
  return output.trim();
}

function faultOf({ ok, errors }: { ok: boolean; errors: string }): string[] {
  return ok ? [] : [`pg_restore cannot read it: ${errors}`];
}
