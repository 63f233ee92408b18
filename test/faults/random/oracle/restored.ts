import { join } from "node:path";
import type { Ended } from "../invocation.ts";
import type { FaultyPostgres } from "../servers/postgres-server.ts";
import { contentOf, relationsOf, type Content } from "../servers/sources.ts";
import type { Judge, JudgedBackup } from "./judge.ts";
import { shell } from "./programs.ts";
import { lastLines, type Broken } from "./promises.ts";

/** What a restore into the database `target` has left: all rows or none, and under its own name, or else it says where. */
export async function checkRestore(
  { code, signal, stderr, stdout }: Ended,
  postgres: FaultyPostgres,
  content: Content,
): Promise<Broken[]> {
  const names = await postgres.sql("postgres", "SELECT datname FROM pg_database WHERE datname LIKE 'target%';");
  const broken = (detail: string): Broken[] => [{ promise: "a restore is whole or nothing", detail }];
  const lacking = async () => {
    const restored = names.includes("target") ? await contentOf(postgres, "target") : [];
    return content.filter((line) => !restored.includes(line));
  };
  if (code === 0) {
    const missing = await lacking();
    return missing.length === 0 ? [] : broken(`it ended with 0, and lacks ${missing.join(", ")}`);
  }
  if (names.includes("target")) {
    const relations = await relationsOf(postgres, "target");
    // Killed after its last row, it could not say any more that it is whole.
    if (signal === "SIGKILL" && relations > 0 && (await lacking()).length === 0) return [];
    return relations === 0 ? [] : broken(`it ended with ${String(code)}, and the target has ${relations} relations`);
  }
  const told = names.some((name) => (stderr + stdout).includes(name));
  if (signal === "SIGKILL" || told) return [];
  return broken(`it ended with ${String(code)}, left ${names.join(", ")}, and does not say so: ${lastLines(stderr)}`);
}

/**
 * Scratch databases that a drill has left. On a server that is away it can drop none: then it has to name it.
 *
 * @param away whether the server was killed, or could not be reached until the drill's end
 */
export async function checkDrill(
  { code, signal, stderr }: Ended,
  postgres: FaultyPostgres,
  away: boolean,
): Promise<Broken[]> {
  const left = await postgres.sql("postgres", "SELECT datname FROM pg_database WHERE datname LIKE 'provision_drill%';");
  for (const name of left) await postgres.sql("postgres", `DROP DATABASE "${name}" WITH (FORCE);`);
  if (left.length === 0 || signal === "SIGKILL") return [];
  if (away && left.every((name) => stderr.includes(`Could not drop the scratch database ${name}`))) return [];
  return [
    { promise: "a drill leaves nothing behind", detail: `it ended with ${String(code)}, and left ${left.join(", ")}` },
  ];
}

/** Restores a backup without the runner, and compares it row by row. Gives what differs. */
export async function restoreByHand(
  backup: JudgedBackup,
  judge: Judge,
  postgres: FaultyPostgres,
  contents: ReadonlyMap<string, Content>,
): Promise<string[]> {
  const { databases, programs } = judge.expected;
  const differences: string[] = [];
  for (const object of backup.manifest?.objects ?? []) {
    if (!object.format.startsWith("pg_dump-")) continue;
    const database = object.database ?? databases[0] ?? "";
    if (database === "poisoned") continue;
    await postgres.sql("postgres", "DROP DATABASE IF EXISTS byhand WITH (FORCE);");
    await postgres.sql("postgres", "CREATE DATABASE byhand TEMPLATE template0;");
    const work = (await shell("mktemp -d /tmp/faults-oracle-XXXXXX", [])).output.trim();
    try {
      const plain = join(work, "plain");
      await judge.decode(join(backup.folder, object.file), object.encrypted, plain);
      const unpack = 'mkdir "$2/dump"; tar -x -f "$2/plain" -C "$2/dump"; set -- "$1" "$2/dump"; ';
      const { ok, errors } = await shell(
        `${object.format === "pg_dump-directory" ? unpack : 'set -- "$1" "$2/plain"; '}"$1" --exit-on-error --single-transaction -d byhand "$2"`,
        [join(programs, "pg_restore"), work],
        { ...process.env, ...postgres.clientEnvironment() },
      );
      const restored = ok ? await contentOf(postgres, "byhand") : [];
      const expected = contents.get(database) ?? [];
      if (!ok) differences.push(`${object.file}: ${errors}`);
      differences.push(
        ...expected.filter((line) => !restored.includes(line)).map((line) => `${database} lacks ${line}`),
      );
    } finally {
      await shell('rm -rf -- "$1"', [work]);
      await postgres.sql("postgres", "DROP DATABASE IF EXISTS byhand WITH (FORCE);");
    }
  }
  return differences;
}
