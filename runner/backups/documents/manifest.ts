import { z } from "zod";
import { databaseKind } from "../../../providers/database/index.ts";
import { ANOMALY, DRILL, HOLD, VERIFICATION } from "../../../providers/layout.ts";

/**
 * A list whose first wrong item ends the check. `z.array` gathers an issue for each: of a hostile list with a hundred thousand
 * of them that takes more memory than everything else.
 */
function listOf<Item extends z.ZodType>(item: Item) {
  return z.array(z.unknown()).transform((items, context): z.output<Item>[] => {
    const list: z.output<Item>[] = [];
    for (const [index, value] of items.entries()) {
      const parsed = item.safeParse(value);
      if (!parsed.success) {
        const [issue] = parsed.error.issues;
        context.addIssue({ code: "custom", message: issue?.message ?? "", path: [index, ...(issue?.path ?? [])] });
        return z.NEVER;
      }
      list.push(parsed.data);
    }
    return list;
  });
}

const Time = z.iso.datetime();
const Size = z.int().min(0);
/** A size in bytes and its SHA-256 in hexadecimal. */
export const Measured = z.strictObject({ size: Size, sha256: z.string().regex(/^[0-9a-f]{64}$/) });
/** The same with a CRC-32. */
const WithCrc32 = z.strictObject({ size: Size, crc32: z.string().regex(/^[0-9a-f]{8}$/) });

/** One object of a backup. */
const ManifestObject = z.strictObject({
  /** File name in the backup's folder. */
  file: z.string().regex(/^[a-z][a-z0-9.-]*$/),
  /** The artifact's name, which is the file's without the endings of compression and encryption. */
  artifact: z.string(),
  /** One of the database's kind, or `file-index`; see {@link unknownFormat}. */
  format: z.string(),
  /** Which of several databases it holds, in a backup of several. */
  database: z.string().optional(),
  /** What it covers, in words. Backups of version 0.1.0 do not say. */
  covers: z.array(z.string()).optional(),
  compression: z.literal("zstd"),
  encryption: z.literal("age").nullable(),
  /** As it is stored. */
  stored: Measured,
  /** As the database's program wrote it, with a CRC-32 or a SHA-256. An index of files always has a SHA-256. */
  plain: z.union([Measured, WithCrc32]),
});

/** One object of a backup; see the schema of the same name. */
export type ManifestObject = z.output<typeof ManifestObject>;

/** Which database a backup is of. */
const Identity = z.strictObject({ systemIdentifier: z.string().nullable(), name: z.string().nullable() });

/** The fields of a manifest. */
const Fields = z.strictObject({
  /** 2 if an object has a CRC-32, which versions that know format 1 alone cannot read; see {@link formatOf}. */
  format: z.literal([1, 2]),
  id: z.string(),
  stack: z.string(),
  job: z.string(),
  /** The version of Provision that wrote it. */
  program: z.string(),
  startedAt: Time,
  finishedAt: Time,
  /**
   * Where it stands among the job's backups: more than that of every backup that its run found, and at least the run's start
   * in milliseconds since 1970. So a clock that jumps changes nothing. Backups of version 0.1.0 have none; see `order.ts`.
   */
  order: z.int().min(0).optional(),
  database: z.strictObject({
    /** A kind of `providers/database/index.ts`, perhaps of a later version. */
    kind: z.string(),
    /** Which database it is, however it is reached. Backups of version 0.1.0 do not say. */
    identity: Identity.optional(),
    /** Which ones the job backed up before its database moved, as a person has said (`provision backup --adopt`). */
    formerly: z.array(Identity).optional(),
    name: z.string(),
    size: z.number(),
    encoding: z.string(),
    /** How each of its databases compares text. Backups of former versions do not say. */
    locales: listOf(
      z.strictObject({
        name: z.string(),
        encoding: z.string(),
        collate: z.string(),
        ctype: z.string(),
        provider: z.string(),
        locale: z.string().nullable(),
        rules: z.string().nullable(),
        version: z.string().nullable(),
      }),
    ).optional(),
    serverVersion: z.string(),
    clientVersion: z.string(),
    /** The moment that the backup shows, by the server's clock. */
    snapshotTime: Time,
    tables: listOf(z.strictObject({ schema: z.string(), name: z.string(), estimatedRows: z.number() })),
    roles: z.array(z.string()),
  }),
  objects: listOf(ManifestObject).refine(({ length }) => length > 0, { error: "expected at least one object" }),
  /** The files that were backed up beside the database; the object of format `file-index` lists them one by one. */
  files: z
    .strictObject({
      kind: z.string(),
      from: z.string(),
      buckets: listOf(
        z.strictObject({
          name: z.string(),
          public: z.boolean(),
          fileSizeLimit: z.number().nullable(),
          allowedMimeTypes: z.array(z.string()).nullable(),
          files: z.int().min(0),
          bytes: z.int().min(0),
          /** Files that could not be copied; -1 where the bucket could not be listed to its end. */
          leftOut: z.int().min(-1),
        }),
      ),
      /** Files of which the snapshot has a row and Storage nothing; left out where the database keeps no account of files. */
      missing: z.int().min(0).optional(),
      /** Files that are older than the snapshot, which has no row of them. */
      orphaned: z.int().min(0).optional(),
    })
    .optional(),
  /** Parts that are not in the backup although they would belong to it, and why. */
  omitted: listOf(z.strictObject({ artifact: z.string(), reason: z.string() })),
  /** The age public keys whose owners can decrypt. */
  recipients: z.array(z.string()),
});

/** The format of a manifest of these objects. */
export function formatOf(objects: readonly Pick<ManifestObject, "plain">[]): 1 | 2 {
  return objects.some(({ plain }) => "crc32" in plain) ? 2 : 1;
}

/** What a backup is. It is written last: a folder without it is no backup. */
export const Manifest = Fields.refine(({ format, objects }) => format === formatOf(objects), {
  error: "expected the format 2 if an object has a CRC-32, else 1",
  path: ["format"],
});

/** What a backup is; see the schema of the same name. */
export type Manifest = z.output<typeof Manifest>;

/** Whether a backup has an archive of a database: without one there is nothing to restore, whatever else is there. */
export function hasArchive({ objects, database }: Manifest): boolean {
  const { formats } = databaseKind(database.kind);
  return objects.some(({ format }) => formats[format] === "archive");
}

/** The objects of a backup that the database's own programs wrote: all but the index of files. */
export function databaseObjects({ objects }: Manifest): ManifestObject[] {
  return objects.filter(({ format }) => format !== "file-index");
}

/**
 * A format in a manifest that its kind of database does not have; undefined where this version knows all of them.
 *
 * @throws ProviderError `CONFIG` where this version does not know the kind.
 */
export function unknownFormat(manifest: Manifest): string | undefined {
  const { formats } = databaseKind(manifest.database.kind);
  return databaseObjects(manifest).find(({ format }) => !Object.hasOwn(formats, format))?.format;
}

/**
 * The names of the records that were beside the backup before it was read: this one is later than each of them, whatever the
 * clocks say. Records of version 0.1.0 have none.
 */
const After = z.array(z.string()).optional();

/** The outcome of reading a backup in full. It is a file of its own beside the manifest, since nothing is overwritten. */
export const VerificationRecord = z.strictObject({
  format: z.literal(1),
  id: z.string(),
  program: z.string(),
  checkedAt: Time,
  outcome: z.enum([VERIFICATION.good, VERIFICATION.bad]),
  after: After,
  problems: z.array(z.string()),
  /** How many problems there were beyond these; left out for none. */
  more: z.int().min(1).optional(),
});

/** The outcome of a verification; see the schema of the same name. */
export type VerificationRecord = z.output<typeof VerificationRecord>;

/** The outcome of restoring a backup into a scratch database; a file beside the manifest, like a verification's. */
export const DrillRecord = z.strictObject({
  format: z.literal(1),
  id: z.string(),
  program: z.string(),
  drilledAt: Time,
  outcome: z.enum([DRILL.good, DRILL.bad]),
  after: After,
  /** Version of the server that it was restored into. */
  serverVersion: z.string(),
  /** Tables that were compared, and the rows in them. */
  tables: z.int().min(0),
  rows: z.int().min(0),
  /** The job's own questions, and how each ended. Left out where it has none, and by earlier versions. */
  checks: z.array(z.strictObject({ name: z.string(), ok: z.boolean(), seconds: z.number() })).optional(),
  /** Seconds of the steps: reading, decoding and restoring at once; counting; the checks. Left out by earlier versions. */
  seconds: z.strictObject({ restore: z.number(), compare: z.number(), checks: z.number().optional() }).optional(),
  /** What restoring took beside what the job promises, in seconds. Left out where it promises nothing. */
  recoveryTime: z.strictObject({ seconds: z.number(), objectiveSeconds: z.number(), met: z.boolean() }).optional(),
  problems: z.array(z.string()),
  /** How many problems there were beyond these; left out for none. */
  more: z.int().min(1).optional(),
});

/** The outcome of a drill; see the schema of the same name. */
export type DrillRecord = z.output<typeof DrillRecord>;

/** That a person keeps a backup, or no longer does; a file beside the manifest, like a verification's. */
export const HoldRecord = z.strictObject({
  format: z.literal(1),
  id: z.string(),
  program: z.string(),
  recordedAt: Time,
  outcome: z.enum([HOLD.good, HOLD.bad]),
  after: After,
  /** Why, in the person's words. */
  reason: z.string(),
  /** When the hold ends by itself. Left out: when it is released. */
  until: Time.optional(),
  /** The names of the records of the holds that a release ends. Left out: all that were there before it, see {@link After}. */
  ends: z.array(z.string()).optional(),
});

/** That a person keeps a backup, or no longer does; see the schema of the same name. */
export type HoldRecord = z.output<typeof HoldRecord>;

/** What of a backup is far from usual for its job; a file beside the manifest, like a verification's. */
export const AnomalyRecord = z.strictObject({
  format: z.literal(1),
  id: z.string(),
  program: z.string(),
  recordedAt: Time,
  outcome: z.enum([ANOMALY.good, ANOMALY.bad]),
  after: After,
  /** Why a person says that it is right as it is. Left out by the run that found it. */
  accepted: z.string().optional(),
  /** Each figure, and the median of the last backups beside it; see `anomaly.ts`. */
  anomalies: listOf(
    z.strictObject({
      what: z.enum(["storedBytes", "plainBytes", "seconds", "rows"]),
      table: z.string().optional(),
      usual: z.number(),
      now: z.number().nullable(),
    }),
  ),
});

/** What of a backup is far from usual; see the schema of the same name. */
export type AnomalyRecord = z.output<typeof AnomalyRecord>;

/** Where a backup was copied from. It is the first file that a copy writes, and tells prune that one may be going on. */
export const CopyRecord = z.strictObject({
  format: z.literal(1),
  id: z.string(),
  program: z.string(),
  copiedAt: Time,
  /** The store, as it describes itself. */
  from: z.string(),
});

/** Where a backup was copied from; see the schema of the same name. */
export type CopyRecord = z.output<typeof CopyRecord>;
