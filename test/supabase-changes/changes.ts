import { ON_PLATFORM } from "./platform-changes.ts";

/** One change to a project, as people make it. */
export interface Change {
  /** What it is, for the report of a run. */
  readonly what: string;
  /** SQL; `$n` is a number of its own, for names. */
  readonly sql: string;
  /** Whether a superuser runs it: what postgres could do before the revokes of 2025, or what supautils lets it do. */
  readonly asOwner?: boolean;
}

/** On objects of one's own. The table public.t$n is there before each. */
const OF_ONES_OWN: readonly (readonly [what: string, sql: string])[] = [
  [
    "a table with odd names",
    `CREATE TABLE public."Odd; t$n" ("a ""b""" int, "c'd" text DEFAULT 'x;y', PRIMARY KEY ("c'd"))`,
  ],
  [
    "an identity and a generated column",
    "ALTER TABLE public.t$n ADD i$n bigint GENERATED ALWAYS AS IDENTITY (START 5 INCREMENT 3), ADD g$n int GENERATED ALWAYS AS (a * 2) STORED",
  ],
  [
    "a serial with rows",
    "ALTER TABLE public.t$n ADD s$n serial; INSERT INTO public.t$n (a, b) SELECT 100 + n, 'more' FROM generate_series(1, 7) AS n",
  ],
  [
    "partitions",
    "CREATE TABLE public.parts$n (at date NOT NULL, k int) PARTITION BY RANGE (at); CREATE TABLE public.parts$n_a PARTITION OF public.parts$n FOR VALUES FROM ('2026-01-01') TO ('2026-02-01') PARTITION BY HASH (k); CREATE TABLE public.parts$n_b PARTITION OF public.parts$n_a FOR VALUES WITH (MODULUS 1, REMAINDER 0); INSERT INTO public.parts$n VALUES ('2026-01-05', 1)",
  ],
  [
    "inheritance",
    "CREATE TABLE public.child$n (extra text) INHERITS (public.t$n); INSERT INTO public.child$n (a, b, extra) VALUES (50, 'c', 'd')",
  ],
  ["an unlogged table", "CREATE UNLOGGED TABLE public.fast$n (a int); INSERT INTO public.fast$n VALUES (1)"],
  [
    "a table of a type",
    "CREATE TYPE public.of$n AS (a int, b text); CREATE TABLE public.typed$n OF public.of$n (PRIMARY KEY (a))",
  ],
  [
    "storage parameters",
    "ALTER TABLE public.t$n SET (fillfactor = 60, autovacuum_vacuum_threshold = 99, toast.autovacuum_enabled = false)",
  ],
  [
    "settings of a column",
    "ALTER TABLE public.t$n ALTER b SET STORAGE EXTERNAL, ALTER b SET STATISTICS 321, ALTER b SET (n_distinct = -0.5), ALTER b SET COMPRESSION pglz",
  ],
  ["a replica identity", "ALTER TABLE public.t$n REPLICA IDENTITY FULL"],
  ["a clustered index", "CREATE INDEX cl$n ON public.t$n (b); ALTER TABLE public.t$n CLUSTER ON cl$n"],
  ["a check that is not valid", `ALTER TABLE public.t$n ADD CONSTRAINT "not; valid$n" CHECK (a > 1) NOT VALID`],
  [
    "a deferred foreign key to users",
    "ALTER TABLE public.t$n ADD u$n uuid REFERENCES auth.users ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED",
  ],
  ["a foreign key to objects", "ALTER TABLE public.t$n ADD o$n uuid REFERENCES storage.objects ON DELETE CASCADE"],
  ["an exclusion constraint", "CREATE TABLE public.rooms$n (during tsrange, EXCLUDE USING gist (during WITH &&))"],
  ["a unique constraint with columns beside it", "ALTER TABLE public.t$n ADD CONSTRAINT inc$n UNIQUE (a) INCLUDE (b)"],
  ["an index on an expression", "CREATE INDEX e$n ON public.t$n (lower(b), (a % 7) DESC NULLS LAST) WHERE a > 0"],
  ["an index of words", "CREATE INDEX w$n ON public.t$n USING gin (to_tsvector('simple', b)) WITH (fastupdate = off)"],
  [
    "a brin and a hash index",
    "CREATE INDEX br$n ON public.t$n USING brin (a) WITH (pages_per_range = 8); CREATE INDEX ha$n ON public.t$n USING hash (b)",
  ],
  [
    "statistics",
    "CREATE STATISTICS public.st$n (dependencies, mcv) ON a, b FROM public.t$n; ALTER STATISTICS public.st$n SET STATISTICS 77",
  ],
  [
    "a view with options",
    "CREATE VIEW public.v$n WITH (security_barrier, security_invoker) AS SELECT a, b FROM public.t$n WHERE a > 1 WITH CASCADED CHECK OPTION",
  ],
  [
    "a recursive view on users",
    "CREATE RECURSIVE VIEW public.r$n (i) AS SELECT 1 UNION ALL SELECT i + 1 FROM r$n WHERE i < (SELECT count(*) FROM auth.users)",
  ],
  [
    "a materialised view",
    "CREATE MATERIALIZED VIEW public.m$n AS SELECT a, count(*) AS c FROM public.t$n GROUP BY a; CREATE UNIQUE INDEX ON public.m$n (a)",
  ],
  [
    "a materialised view without rows",
    "CREATE MATERIALIZED VIEW public.empty$n AS SELECT * FROM public.t$n WITH NO DATA",
  ],
  [
    "a rule",
    "CREATE VIEW public.rv$n AS SELECT a FROM public.t$n; CREATE RULE ru$n AS ON INSERT TO public.rv$n DO INSTEAD INSERT INTO public.t$n (a) VALUES (NEW.a)",
  ],
  [
    "a function with settings",
    "CREATE FUNCTION public.f$n(x int, VARIADIC y text[] DEFAULT '{}') RETURNS TABLE (p int, q text) LANGUAGE plpgsql STABLE SECURITY DEFINER COST 7 ROWS 3 SET search_path = public, pg_temp AS $f$ BEGIN RETURN QUERY SELECT x, 'it''s'; END $f$",
  ],
  [
    "a function with a body in SQL",
    "CREATE FUNCTION public.fs$n(x int) RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM public.t$n WHERE a = x; END",
  ],
  [
    "a function of users",
    "CREATE FUNCTION public.fu$n(u auth.users) RETURNS text LANGUAGE sql STABLE AS $f$ SELECT u.email $f$",
  ],
  ["a procedure", "CREATE PROCEDURE public.p$n(INOUT x int) LANGUAGE plpgsql AS $f$ BEGIN x := x + 1; END $f$"],
  ["an aggregate", "CREATE AGGREGATE public.ag$n (int) (SFUNC = int4pl, STYPE = int, INITCOND = '0', PARALLEL = SAFE)"],
  [
    "an operator with a class",
    "CREATE FUNCTION public.eq$n(point, point) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 ~= $2'; CREATE OPERATOR public.=== (LEFTARG = point, RIGHTARG = point, FUNCTION = public.eq$n)",
  ],
  [
    "an enum that grew",
    "CREATE TYPE public.en$n AS ENUM ('a', 'c'); ALTER TYPE public.en$n ADD VALUE 'b; ''' BEFORE 'c'",
  ],
  [
    "a domain",
    `CREATE DOMAIN public.d$n AS text COLLATE "C" DEFAULT 'x' NOT NULL CONSTRAINT short$n CHECK (length(VALUE) < 9)`,
  ],
  ["a range", "CREATE TYPE public.ra$n AS RANGE (subtype = float8, subtype_diff = float8mi)"],
  [
    "a collation and a search configuration",
    "CREATE COLLATION public.co$n (provider = libc, locale = 'C'); CREATE TEXT SEARCH CONFIGURATION public.ts$n (COPY = simple)",
  ],
  [
    "a sequence",
    "CREATE SEQUENCE public.sq$n AS int INCREMENT -2 MINVALUE -100 MAXVALUE 10 START 4 CYCLE CACHE 3; SELECT nextval('public.sq$n')",
  ],
  [
    "policies",
    `ALTER TABLE public.t$n ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY "p; $n" ON public.t$n AS RESTRICTIVE FOR UPDATE TO authenticated, reporting USING (a > 1) WITH CHECK (b <> 'it''s')`,
  ],
  [
    "a policy on objects",
    `CREATE POLICY "o; $n" ON storage.objects FOR SELECT TO authenticated USING (bucket_id = 'avatars' AND (storage.foldername(name))[1] = auth.uid()::text)`,
  ],
  ["a policy on users", `CREATE POLICY "u$n" ON auth.users FOR SELECT TO service_role USING (email <> 'x')`],
  [
    "a policy on messages",
    `CREATE POLICY "m$n" ON realtime.messages FOR INSERT TO authenticated WITH CHECK (realtime.topic() = 'r$n')`,
  ],
  [
    "a trigger that is off",
    "CREATE FUNCTION public.tf$n() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER tr$n BEFORE UPDATE OF b ON public.t$n FOR EACH ROW WHEN (OLD.b IS DISTINCT FROM NEW.b) EXECUTE FUNCTION public.tf$n('a''b'); ALTER TABLE public.t$n DISABLE TRIGGER tr$n",
  ],
  [
    "a trigger on users",
    "CREATE FUNCTION public.tu$n() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER tu$n AFTER INSERT OR UPDATE ON auth.users FOR EACH ROW EXECUTE FUNCTION public.tu$n()",
  ],
  [
    "a trigger on objects, a deferred one",
    "CREATE FUNCTION public.to$n() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; CREATE CONSTRAINT TRIGGER to$n AFTER INSERT ON storage.objects DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.to$n()",
  ],
  [
    "privileges",
    "GRANT SELECT (a), UPDATE (b) ON public.t$n TO reporting WITH GRANT OPTION; REVOKE ALL ON public.t$n FROM anon, authenticated",
  ],
  [
    "privileges on a function",
    "CREATE FUNCTION public.fp$n() RETURNS int LANGUAGE sql AS 'SELECT 1'; REVOKE ALL ON FUNCTION public.fp$n FROM PUBLIC, anon; GRANT EXECUTE ON FUNCTION public.fp$n TO reporting",
  ],
  [
    "privileges on the platform's tables",
    "GRANT SELECT, UPDATE ON storage.buckets TO reporting; GRANT SELECT ON auth.users TO reporting",
  ],
  [
    "default privileges",
    "CREATE SCHEMA dp$n; ALTER DEFAULT PRIVILEGES IN SCHEMA dp$n GRANT SELECT, INSERT ON TABLES TO reporting; ALTER DEFAULT PRIVILEGES REVOKE USAGE ON TYPES FROM PUBLIC",
  ],
  [
    "another owner",
    "CREATE SCHEMA ow$n; GRANT ALL ON SCHEMA ow$n TO app_owner; CREATE TABLE ow$n.t (a int); ALTER TABLE ow$n.t OWNER TO app_owner",
  ],
  [
    "comments",
    `COMMENT ON TABLE public.t$n IS 'It''s; "t"'; COMMENT ON COLUMN public.t$n.a IS E'two\\nlines'; COMMENT ON CONSTRAINT t$n_pkey ON public.t$n IS 'k'; COMMENT ON SCHEMA shop IS 'S$n'`,
  ],
  ["a comment on an extension", "COMMENT ON EXTENSION pg_trgm IS 'Ours $n'"],
  [
    "a publication",
    "CREATE PUBLICATION pu$n FOR TABLE public.t$n (a), shop.events WITH (publish = 'insert, delete', publish_via_partition_root)",
  ],
  ["a table in Realtime", "ALTER PUBLICATION supabase_realtime ADD TABLE public.t$n"],
  ["a job", "SELECT cron.schedule('job $n', '*/7 * * * *', 'SELECT ''$n''')"],
  ["a queue", "SELECT pgmq.create('queue$n'); SELECT pgmq.send('queue$n', '{\"n\": $n}')"],
  ["a secret", "SELECT vault.create_secret('secret $n', 'name $n', 'it''s')"],
  ["a large object", "SELECT lo_from_bytea(9000$n, 'large $n'); COMMENT ON LARGE OBJECT 9000$n IS 'l'"],
  [
    "an extension",
    "CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA extensions; CREATE TABLE public.ci$n (a extensions.citext)",
  ],
  [
    "an extension in a schema of its own",
    "CREATE SCHEMA ext$n; CREATE EXTENSION IF NOT EXISTS fuzzystrmatch WITH SCHEMA ext$n",
  ],
  [
    "settings of the database and of a role in it",
    "DO $f$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''7MB''', current_database()); EXECUTE format('ALTER ROLE reporting IN DATABASE %I SET statement_timeout = ''9s''', current_database()); END $f$",
  ],
  [
    "an object in a schema of the platform",
    "CREATE FUNCTION extensions.mine$n() RETURNS int LANGUAGE sql AS 'SELECT 1'",
  ],
  [
    "a schema with odd names",
    `CREATE SCHEMA "Odd; ""s$n"; CREATE VIEW "Odd; ""s$n".v AS SELECT 1 AS "a b"; GRANT USAGE ON SCHEMA "Odd; ""s$n" TO anon`,
  ],
  [
    "rows that change",
    "UPDATE auth.users SET raw_user_meta_data = '{\"username\": \"U$n\"}' WHERE id IN (SELECT id FROM auth.users ORDER BY id LIMIT 3); DELETE FROM public.profiles WHERE id IN (SELECT id FROM auth.users ORDER BY id DESC LIMIT 1); INSERT INTO public.t$n VALUES (-5, E'\\\\. \\t \\n')",
  ],
];

/** All changes: those of one's own, and those on the platform's tables. */
export const CHANGES: readonly Change[] = [
  ...OF_ONES_OWN.map(([what, sql]) => ({ what, sql })),
  ...ON_PLATFORM.map(([what, sql]) => ({ what, sql, asOwner: true })),
];
