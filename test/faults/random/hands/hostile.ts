import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A folder that somebody put into a store, and how it is taken away again. */
export interface Hostile {
  readonly what: string;
  readonly paths: readonly string[];
  remove(): void;
}

const later = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString().replace(/[-:]|\.\d+/g, "");

/**
 * Puts something into a job's folder that no honest run writes.
 *
 * @param root the store as a folder, with a backup in it
 * @param signed whether the job signs: then what only a signature tells from a backup of its own is planted, too
 */
export function plant(root: string, which: number, signed: boolean): Hostile {
  const job = join(root, "faults/app");
  const newest =
    readdirSync(job)
      .filter((name) => /^\d{8}T/.test(name))
      .sort()
      .at(-1) ?? "";
  const own = join(job, newest);
  const fresh = join(job, `${later(-1)}-fff000`);
  const write = (folder: string, name: string, content: string): string => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, name), content);
    return folder;
  };
  const plans: Readonly<Record<string, () => string[]>> = {
    "a copy of the newest backup under another id": () => {
      cpSync(own, fresh, { recursive: true });
      return [fresh];
    },
    "a backup of another job": () => {
      cpSync(own, fresh, { recursive: true });
      writeFileSync(
        join(fresh, "manifest.json"),
        resealed(join(own, "manifest.json"), { id: fresh.slice(-23), job: "other" }),
      );
      return [fresh];
    },
    "a manifest of 50,000 brackets": () => [write(fresh, "manifest.json", "[".repeat(50_000) + "]".repeat(50_000))],
    "a manifest of 40 MB": () => [
      write(fresh, "manifest.json", JSON.stringify({ format: 1, id: "x".repeat(40_000_000) })),
    ],
    "a manifest of 100,000 objects": () => {
      const { objects } = JSON.parse(readFileSync(join(own, "manifest.json"), "utf8")) as { objects: object[] };
      const many = Array.from({ length: 100_000 }, () => objects[0]);
      mkdirSync(fresh);
      writeFileSync(
        join(fresh, "manifest.json"),
        resealed(join(own, "manifest.json"), { id: fresh.slice(-23), objects: many }),
      );
      return [fresh];
    },
    "an empty manifest": () => [write(fresh, "manifest.json", "")],
    "a manifest of zeros": () => [write(fresh, "manifest.json", "\0".repeat(5_000))],
    "a manifest without its archives": () => {
      const folder = write(fresh, `verified-${later(0)}.json`, "");
      const objects = [] as object[];
      writeFileSync(
        join(folder, "manifest.json"),
        resealed(join(own, "manifest.json"), { id: fresh.slice(-23), objects }),
      );
      return [fresh];
    },
    "an empty record that calls a folder verified": () => {
      write(fresh, `verified-${later(0)}.json`, "");
      cpSync(join(own, "manifest.json"), join(fresh, "manifest.json"));
      return [fresh];
    },
    "a record from the future": () => {
      const record = join(own, `verified-${later(86_400 * 30)}.json`);
      writeFileSync(record, "{}");
      return [record];
    },
    "a name with terminal escapes": () => [write(join(job, "\u001b[31mFix: rm -rf \u001b[2J"), "manifest.json", "{}")],
    ...(signed && {
      "a forged newer backup, whose archive is empty": () => {
        forge(own, fresh, { id: fresh.slice(-23) });
        write(fresh, `verified-${later(0)}.json`, "");
        return [fresh];
      },
      "a forged newer backup without a signature": () => {
        forge(own, fresh, { id: fresh.slice(-23), signature: undefined });
        return [fresh];
      },
      "a forged record that calls the newest backup damaged": () => {
        const record = join(own, `damaged-${later(1)}.json`);
        writeFileSync(record, resealed(join(own, "manifest.json"), { outcome: "damaged", problems: ["none"] }));
        return [record];
      },
    }),
    "a symbolic link to another job": () => {
      const other = join(root, "faults/other");
      cpSync(job, other, { recursive: true });
      const link = join(job, `${later(-2)}-ffe000`);
      symlinkSync(join(other, newest), link);
      return [link, other];
    },
  };
  const names = Object.keys(plans);
  const what = names[Math.floor(which * names.length)] ?? "";
  const paths = plans[what]?.() ?? [];
  return {
    what,
    paths,
    remove: () => {
      for (const path of paths)
        if (existsSync(path) || path.includes("-ffe000")) rmSync(path, { recursive: true, force: true });
    },
  };
}

/** A copy of a backup with other facts and an archive of no bytes, all in order but for the signature. */
function forge(own: string, folder: string, changes: object): void {
  cpSync(own, folder, { recursive: true });
  const manifest = JSON.parse(readFileSync(join(own, "manifest.json"), "utf8")) as {
    objects: { file: string; stored: object }[];
  };
  const sha256 = createHash("sha256").digest("hex");
  const objects = manifest.objects.map((object) => {
    if (object.file.includes("/")) return object;
    writeFileSync(join(folder, object.file), "");
    return { ...object, stored: { size: 0, sha256 } };
  });
  writeFileSync(join(folder, "manifest.json"), resealed(join(own, "manifest.json"), { ...changes, objects }));
}

/** A manifest with other facts and the checksum that fits them, as somebody writes it who knows the format. */
function resealed(file: string, changes: object): string {
  const before = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  const document = Object.fromEntries(
    Object.entries({ ...before, ...changes }).filter(([name]) => name !== "checksum"),
  );
  const checksum = `sha256:${createHash("sha256").update(JSON.stringify(document)).digest("hex")}`;
  return JSON.stringify({ ...document, checksum }, null, 2) + "\n";
}
