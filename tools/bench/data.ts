import type { Postgres } from "../postgres.ts";
import { query } from "../query.ts";
import { createSampleDatabase } from "../sample-database.ts";

/** A kind of data that databases hold. How well it is compressed decides what a dump waits for. */
export interface Data {
  /** What it is, for a reader. */
  readonly what: string;
  /** Whether `pg_dump -Fc` itself is fast on it, because there is little to compress or much that repeats. */
  readonly easy: boolean;
  /** Creates a database with about so many megabytes of it. The same size gives the same data. */
  readonly create: (postgres: Postgres, database: string, megabytes: number) => Promise<void>;
}

/** Bytes on disk of a row, its header and its part of the indexes, measured; by table. */
const ROW_BYTES = { account: 160, event: 583, measurement: 866 };

/** Words that a statement may draw from, as the array `w`. */
const WORDS = `
  SELECT array_agg(substr(translate(md5(n::text), '0123456789', 'etaoinshrl'), 1, 2 + n % 9)) AS w FROM generate_series(0, 299) n`;

/** So many words at random, of which the first of the array come most often. */
const text = (words: number) => `concat_ws(' ', ${repeated(words, "w[1 + floor(300 * random() * random())::int]")})`;

/** Creates a database with what some statements make, or several such texts, of which each is a transaction. */
function filledBy(statements: (megabytes: number) => string | string[]): Data["create"] {
  return async (postgres, database, megabytes) => {
    await query(postgres.url("postgres"), `CREATE DATABASE ${database} TEMPLATE template0`);
    for (const each of [statements(megabytes)].flat()) await query(postgres.url(database), each);
    await query(postgres.url(database), "VACUUM ANALYZE");
  };
}

const rows = (megabytes: number, bytes: number) => Math.max(1, Math.round((megabytes * 1e6) / bytes));

/** The kinds that are measured, by their names on the command line. */
export const DATA: Readonly<Record<string, Data>> = {
  shop: {
    what: "A shop's tables, one of nearly everything that PostgreSQL holds, mostly random text",
    easy: false,
    create: async (postgres, database, megabytes) => {
      await createSampleDatabase(postgres.url(database), { megabytes });
    },
  },
  pgbench: {
    what: "The accounts of `pgbench -i`, of which most bytes repeat",
    easy: true,
    create: filledBy(
      (
        megabytes,
      ) => `CREATE TABLE pgbench_accounts (aid integer NOT NULL, bid integer, abalance integer, filler character(84)) WITH (fillfactor = 100);
         INSERT INTO pgbench_accounts SELECT n, 1 + n / 100000, 0, '' FROM generate_series(1, ${rows(megabytes, ROW_BYTES.account)}) n;
         ALTER TABLE pgbench_accounts ADD PRIMARY KEY (aid);`,
    ),
  },
  documents: {
    what: "Events as applications store them: JSON documents with messages in words",
    easy: false,
    create: filledBy(
      (megabytes) => `SELECT setseed(0.42);
         CREATE TABLE events (id bigint PRIMARY KEY, at timestamptz NOT NULL, document jsonb NOT NULL, note text);
         INSERT INTO events
           SELECT n, timestamptz '2026-01-01' + n * interval '7 seconds',
             jsonb_build_object('id', md5(n::text)::uuid, 'type', (ARRAY['order', 'login', 'payment', 'message'])[1 + n % 4],
               'user', jsonb_build_object('id', floor(random() * 1e6), 'email', md5(random()::text) || '@example.com'),
               'amount', round((random() * 1000)::numeric, 2), 'message', ${text(25)}),
             ${text(15)}
           FROM generate_series(1, ${rows(megabytes, ROW_BYTES.event)}) n, (${WORDS}) words;`,
    ),
  },
  numbers: {
    what: "Wide rows of numbers, and bytes that cannot be compressed",
    easy: false,
    create: filledBy(
      (megabytes) => `SELECT setseed(0.42);
         CREATE TABLE measurements (id bigint PRIMARY KEY, ${columns("v", 24, "double precision")}, ${columns("n", 12, "integer")}, raw bytea);
         INSERT INTO measurements
           SELECT n, ${repeated(24, "1e3 * random()")}, ${repeated(12, "floor(random() * 1e6)")},
             decode(${Array.from({ length: 32 }, () => "md5(random()::text)").join(" || ")}, 'hex')
           FROM generate_series(1, ${rows(megabytes, ROW_BYTES.measurement)}) n;`,
    ),
  },
  tables: {
    what: "Many small tables, 4 for each megabyte, each with a key, an index and a foreign key",
    easy: true,
    create: filledBy((megabytes) => {
      const last = 4 * megabytes;
      return Array.from({ length: Math.ceil(last / TABLES_OF_ONE_PARENT) }, (_, part) => {
        const before = part * TABLES_OF_ONE_PARENT;
        return smallTables(before + 1, Math.min(before + TABLES_OF_ONE_PARENT, last));
      });
    }),
  },
};

/**
 * Tables that refer to the same one, and that one transaction makes. With each foreign key, the server reads all triggers of the table that
 * it refers to, two for each key: with one parent for 20,000 tables, it would read 400 million.
 */
const TABLES_OF_ONE_PARENT = 400;

/** Makes small tables and what they refer to, numbered as said. */
function smallTables(first: number, last: number): string {
  return `CREATE TABLE parents_${first} (id integer PRIMARY KEY, name text);
    INSERT INTO parents_${first} SELECT n, md5(n::text) FROM generate_series(0, 99) n;
    DO $$ BEGIN
      FOR each IN ${first} .. ${last} LOOP
        EXECUTE format('CREATE TABLE small_%s (id integer PRIMARY KEY, parent integer REFERENCES parents_${first}, name text, at timestamptz DEFAULT now())', each);
        EXECUTE format('INSERT INTO small_%s SELECT n, n %% 100, md5(n::text) || md5(%L || n::text) FROM generate_series(1, 1200) n', each, each);
        EXECUTE format('CREATE INDEX ON small_%s (parent)', each);
      END LOOP;
    END $$;`;
}

function columns(prefix: string, count: number, type: string): string {
  return Array.from({ length: count }, (_, index) => `${prefix}${index} ${type}`).join(", ");
}

function repeated(count: number, expression: string): string {
  return Array.from({ length: count }, () => expression).join(", ");
}
