import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Ended } from "../invocation.ts";
import type { JudgedBackup } from "../oracle/judge.ts";
import { isGood, lastLines, newestVerdict, type Broken } from "../oracle/promises.ts";
import type { CommandName } from "../scenario.ts";
import { markOf, openDocument, seal, type Document, type Signer } from "./forge.ts";
import { choicesOf, newestGood, stampIn, type Hand, type Reach } from "./hand.ts";

const PROMISE = "what is not proven decides nothing";

/** Seconds before now of which the job's key says that it was made then. */
export const KEY_AGE = 3_600;

/** What a forger does to one store. */
interface Forgery {
  readonly what: string;
  /** Objects that are put there, by their names below the job's folder. */
  readonly objects: ReadonlyMap<string, string | Buffer>;
  /** Ids of folders that are the forger's. */
  readonly ids: readonly string[];
}

/** What a forger has to work with: the newest backup of a store. */
interface Material {
  readonly id: string;
  readonly text: string;
  readonly document: Document;
  readonly files: ReadonlyMap<string, Buffer>;
  readonly signer: Signer;
  /** An older backup of the same store, with its manifest's text. */
  readonly older: { readonly id: string; readonly text: string } | undefined;
}

type Choices = ReturnType<typeof choicesOf>;

/** A manifest that nothing proves, in a folder of its own, with facts that would steer runs. */
function forgedManifest({ document, files, signer }: Material, { pick }: Choices): Forgery {
  const other = { mark: "0badc0de", key: "17".repeat(32) };
  const [how, seconds, by, changes] = pick<readonly [string, number, Signer | undefined, Document]>([
    ["unsigned, of before the key", -86_400, undefined, {}],
    ["unsigned, of before the key", -KEY_AGE - 60, undefined, {}],
    ["unsigned and newer", -1, undefined, {}],
    ["unsigned, of the future", 86_400 * 30, undefined, {}],
    ["signed with another key", -1, other, {}],
    ["wrongly signed", -1, { ...other, mark: signer.mark }, {}],
    ["wrongly signed, of the future", 86_400 * 30, { ...other, mark: signer.mark }, {}],
    ["of another job, and signed", -1, signer, { job: "other" }],
    ["of another stack, and signed", -1, signer, { stack: "elsewhere" }],
  ]);
  const database = document.database as Document;
  const facts = pick<readonly [string, Document]>([
    [
      "another database's",
      { database: { ...database, identity: { systemIdentifier: "7000000000000000001", name: "x" } } },
    ],
    ["the highest order", { order: Number.MAX_SAFE_INTEGER }],
    [
      "another database's, of the highest order",
      {
        order: Number.MAX_SAFE_INTEGER,
        database: { ...database, identity: { systemIdentifier: "7000000000000000001", name: "x" } },
      },
    ],
    ["no tables", { database: { ...database, tables: [] } }],
    ["the order 0", { order: 0 }],
  ]);
  const id = `${stampIn(seconds)}-fff001`;
  const at = new Date(Date.now() + seconds * 1000).toISOString();
  const manifest = seal({ ...document, ...facts[1], ...changes, id, startedAt: at, finishedAt: at }, by);
  const checked = { format: 1, id, program: "provision", checkedAt: at, outcome: "verified", after: [], problems: [] };
  const objects = new Map<string, string | Buffer>([...files].map(([name, bytes]) => [`${id}/${name}`, bytes]));
  objects.set(`${id}/verified-${stampIn(seconds)}.json`, seal(checked, by));
  objects.set(`${id}/manifest.json`, manifest);
  return { what: `a manifest ${how}: ${facts[0]}`, objects, ids: [id] };
}

/** A manifest that the job itself has signed, in another folder. */
function oldManifest({ id, text, older, files }: Material, { pick }: Choices): Forgery {
  const [how, folder, old] = pick<readonly [string, string, string]>([
    ["the newest's under a newer id", `${stampIn(-1)}-fff002`, text],
    ["an old one under a newer id", `${stampIn(-1)}-fff002`, older?.text ?? text],
    ["the newest's under an id of before the key", `${stampIn(-86_400)}-fff002`, text],
    ["the newest's under an id of the future", `${stampIn(86_400 * 30)}-fff002`, text],
    ...(older ? [["an old one over the newest's", id, older.text] as const] : []),
  ]);
  const objects = new Map<string, string | Buffer>(
    folder === id ? [] : [...files].map(([name, bytes]) => [`${folder}/${name}`, bytes]),
  );
  if (folder !== id) objects.set(`${folder}/verified-${stampIn(0)}.json`, "");
  objects.set(`${folder}/manifest.json`, old);
  return { what: `a signed manifest, ${how}`, objects, ids: [folder] };
}

/** A record beside a backup of the job's own that the job has not written. */
function forgedRecord({ id, signer }: Material, { pick }: Choices): Forgery {
  const other = { mark: signer.mark, key: "17".repeat(32) };
  const [how, about, by] = pick<readonly [string, string, Signer | undefined]>([
    ["without a signature", id, undefined],
    ["wrongly signed", id, other],
    ["of another job's backup, and signed", `${stampIn(-900)}-abc123`, signer],
  ]);
  const seconds = pick([2, 2, 2, 86_400 * 30]);
  const at = new Date(Date.now() + seconds * 1000).toISOString();
  const common = { format: 1, id: about, program: "provision" };
  const drill = { serverVersion: "17.0", tables: 1, rows: 1, problems: [] };
  const [outcome, content] = pick<readonly [string, Document]>([
    ["damaged", { checkedAt: at, outcome: "damaged", after: [], problems: ["none"] }],
    ["verified", { checkedAt: at, outcome: "verified", after: [], problems: [] }],
    ["drilled", { drilledAt: at, outcome: "drilled", after: [], ...drill }],
    ["drill-failed", { drilledAt: at, outcome: "drill-failed", after: [], ...drill }],
    ["suspicious", { recordedAt: at, outcome: "suspicious", after: [], anomalies: [] }],
    ["unusual", { recordedAt: at, outcome: "unusual", after: [], accepted: "it is right", anomalies: [] }],
  ]);
  const name = `${id}/${outcome}-${stampIn(seconds)}.json`;
  return {
    what: `a record "${outcome}" ${how}${seconds > 60 ? ", of the future" : ""}`,
    objects: new Map([[name, seal({ ...common, ...content }, by)]]),
    ids: [],
  };
}

/** A table whose rows go later: see {@link acceptedForged}. */
export async function makeRows({ scenario, place }: Reach): Promise<void> {
  await place.world.postgres.sql(
    scenario.job.source,
    "DROP TABLE IF EXISTS public.churn_rows; CREATE TABLE public.churn_rows AS SELECT generate_series(1, 3000) AS n; ANALYZE public.churn_rows;",
  );
}

/** A backup of before the key, which is accepted as it is and has no rows: what a later one has lost since would be usual. */
function acceptedForged({ document, files }: Material): Forgery {
  const seconds = -86_400;
  const id = `${stampIn(seconds)}-fff003`;
  const at = new Date(Date.now() + seconds * 1000).toISOString();
  const database = { ...(document.database as Document), tables: [] };
  const facts = { id, startedAt: at, finishedAt: at, order: Number.MAX_SAFE_INTEGER - 1, database };
  const record = { format: 1, id, program: "provision", after: [] };
  const accepted = { recordedAt: at, outcome: "unusual", accepted: "it is right", anomalies: [] };
  const objects = new Map<string, string | Buffer>([...files].map(([name, bytes]) => [`${id}/${name}`, bytes]));
  objects.set(`${id}/unusual-${stampIn(seconds)}.json`, seal({ ...record, ...accepted }));
  objects.set(
    `${id}/verified-${stampIn(seconds)}.json`,
    seal({ ...record, checkedAt: at, outcome: "verified", problems: [] }),
  );
  objects.set(`${id}/manifest.json`, seal({ ...document, ...facts }));
  return {
    what: 'a record "accepted" beside a backup of before the key, and the rows of a table are gone',
    objects,
    ids: [id],
  };
}

const MAKERS = {
  "forged manifest": forgedManifest,
  "old manifest": oldManifest,
  "forged record": forgedRecord,
} as const;

/** A writer of the stores puts documents there that the job has not written, or not for this place. */
export async function forgedDocuments(reach: Reach): Promise<Hand | undefined> {
  const { scenario, place, states } = reach;
  const { name: fault, which } = scenario.fault;
  const { postgres } = place.world;
  const hides = fault === "forged record" && scenario.command === "backup" && which < 0.5;
  const make = hides ? acceptedForged : MAKERS[fault as keyof typeof MAKERS];
  if (hides) await postgres.sql(scenario.job.source, "DELETE FROM public.churn_rows; ANALYZE public.churn_rows;");
  const undo: (() => void)[] = [];
  const harmed: string[] = [];
  const what: string[] = [];
  const forgers = new Set<string>();
  for (const [index, store] of place.stores.entries()) {
    const newest = newestGood(states()[index]);
    if (newest === undefined) continue;
    const read = (name: string) => readFileSync(join(newest.folder, name));
    const text = read("manifest.json").toString();
    const older = states()[index]?.backups.find((each) => isGood(each) && each.id !== newest.id);
    const made = make(
      {
        id: newest.id,
        text,
        document: openDocument(text),
        files: new Map((newest.manifest?.objects ?? []).map(({ file }) => [file, read(file)])),
        signer: { mark: markOf(text), key: place.world.signingKey },
        older: older && { id: older.id, text: readFileSync(join(older.folder, "manifest.json"), "utf8") },
      },
      // The same in each store.
      choicesOf(scenario.fault.which),
    );
    what.push(made.what);
    for (const id of made.ids) {
      harmed.push(`${index}/${id}`);
      forgers.add(id);
    }
    for (const [name, content] of made.objects) {
      const key = `faults/app/${name}`;
      reach.judge.foreign.add(name);
      store.replace(key, Buffer.from(content));
      // Whether a prune has removed it or not.
      undo.push(() => {
        store.replace(key, undefined);
      });
    }
  }
  if (what.length === 0) return undefined;
  let listed = false;
  const first = new Map(states().map(({ backups }, index) => [index, new Set(backups.map(({ id }) => id))] as const));
  return {
    what: [...new Set(what)].join("; "),
    harmed,
    planted: forgers,
    check: async (command, ended) => {
      const { stores } = place;
      const said = command === "list" ? ended : listed ? undefined : await place.start(["list", "--json"]).ended;
      listed = true;
      const broken = checkCode(command, ended);
      for (const [index, store] of stores.entries()) {
        const { folder } = await store.export();
        const backups = (await reach.judge.judge(folder)).filter(({ id }) => !forgers.has(id));
        const old = backups.filter(({ id }) => first.get(index)?.has(id) === true);
        if (said) broken.push(...checkListed(said, index, old));
        if (said && hides && ended.code === 0) broken.push(...checkLoss(said, index, backups, old));
        for (const each of backups) {
          if (!each.hasManifest || first.get(index)?.has(each.id) === true) continue;
          broken.push(...checkFacts(join(each.folder, "manifest.json")));
        }
      }
      return broken;
    },
    remove: async () => {
      for (const each of undo) each();
      await postgres.sql(scenario.job.source, "DROP TABLE IF EXISTS public.churn_rows;");
    },
  };
}

/** Every command ends as though nothing had been planted; only a verification of everything may say that something is wrong. */
function checkCode(command: CommandName, { args, code, stderr }: Ended): Broken[] {
  const due = command === "verify" ? [0, 5] : [0];
  if (due.includes(code ?? -1)) return [];
  return [{ promise: PROMISE, detail: `${args.join(" ")} ended with ${String(code)}: ${lastLines(stderr, 5)}` }];
}

/** What a new backup's manifest must not have taken over. */
function checkFacts(file: string): Broken[] {
  const { order, database } = openDocument(readFileSync(file, "utf8")) as {
    order?: number;
    database: { formerly?: object[] };
  };
  const wrong = [
    ...(order !== undefined && order > Date.now() + 86_400_000 ? [`the order ${order}`] : []),
    ...((database.formerly ?? []).length > 0 ? [`former databases: ${JSON.stringify(database.formerly)}`] : []),
  ];
  return wrong.map((what) => ({ promise: PROMISE, detail: `${file} has ${what}` }));
}

/** A new backup that has lost all rows of a table is called suspicious. Of several databases no rows are compared. */
function checkLoss(
  { stdout }: Ended,
  index: number,
  all: readonly JudgedBackup[],
  old: readonly JudgedBackup[],
): Broken[] {
  const listed = JSON.parse(stdout) as { backups: { id: string; unusual?: { suspicious: boolean } }[] }[];
  return all.flatMap(({ id, hasManifest, manifest }): Broken[] => {
    if (!hasManifest || old.some((each) => each.id === id)) return [];
    if ((manifest?.objects ?? []).some(({ database }) => database !== undefined)) return [];
    const told = listed[index]?.backups.find((each) => each.id === id);
    if (told?.unusual?.suspicious === true) return [];
    return [{ promise: PROMISE, detail: `${id} has lost all rows of a table, and list says ${JSON.stringify(told)}` }];
  });
}

/** What `list --json` says of the job's own backups: what the records say that the job has written. */
function checkListed({ stdout, code, stderr }: Ended, index: number, backups: readonly JudgedBackup[]): Broken[] {
  if (code !== 0) return [{ promise: PROMISE, detail: `list ended with ${String(code)}: ${lastLines(stderr)}` }];
  const listed = JSON.parse(stdout) as {
    backups: { id: string; state: string; drill: object | null; unusual?: object }[];
  }[];
  return backups.flatMap((backup): Broken[] => {
    if (!backup.hasManifest || !isGood(backup)) return [];
    const told = listed[index]?.backups.find(({ id }) => id === backup.id);
    const verdict = newestVerdict(backup);
    const wrong = (fact: string): Broken => ({ promise: PROMISE, detail: `list calls ${backup.id} ${fact}` });
    if (told === undefined || told.state !== verdict)
      return [wrong(`${String(told?.state)}, and it is ${String(verdict)}`)];
    const own = backup.records.filter((name) => name.startsWith("drill"));
    if (told.unusual !== undefined) return [wrong(`unusual: ${JSON.stringify(told.unusual)}`)];
    return told.drill !== null && own.length === 0 ? [wrong("drilled")] : [];
  });
}
