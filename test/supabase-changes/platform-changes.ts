/** On the platform's tables and beside them, in names of which `$n` is a number of its own. */
export const ON_PLATFORM: readonly (readonly [what: string, sql: string])[] = [
  [
    "a column of users",
    "ALTER TABLE auth.users ADD tenant$n int NOT NULL DEFAULT 3; UPDATE auth.users SET tenant$n = 4 WHERE email LIKE 'user1%'",
  ],
  [
    "a column of users of a type of one's own",
    "CREATE TYPE public.ct$n AS ENUM ('a', 'b'); ALTER TYPE public.ct$n OWNER TO postgres; ALTER TABLE auth.users ADD kind$n public.ct$n DEFAULT 'b'",
  ],
  [
    "a generated column of objects",
    "ALTER TABLE storage.objects ADD ext$n text GENERATED ALWAYS AS (split_part(name, '.', 2)) STORED",
  ],
  ["a serial of sessions", "ALTER TABLE auth.sessions ADD no$n serial"],
  [
    "a column that a view needs",
    "ALTER TABLE storage.buckets ADD team$n text; CREATE VIEW public.vb$n AS SELECT id, team$n FROM storage.buckets; ALTER VIEW public.vb$n OWNER TO postgres",
  ],
  [
    "a key that a foreign key needs",
    "ALTER TABLE auth.users ADD k$n bigserial UNIQUE; CREATE TABLE public.fk$n (a bigint REFERENCES auth.users (k$n)); ALTER TABLE public.fk$n OWNER TO postgres",
  ],
  [
    "an index on users",
    "CREATE INDEX ix$n ON auth.users ((raw_user_meta_data ->> 'username')) WHERE deleted_at IS NULL",
  ],
  ["a unique index on objects", "CREATE UNIQUE INDEX un$n ON storage.objects (id, version)"],
  ["a check on objects", `ALTER TABLE storage.objects ADD CONSTRAINT "ck; $n" CHECK (length(name) < 900)`],
  [
    "a foreign key of buckets",
    "CREATE TABLE public.te$n (id uuid PRIMARY KEY); ALTER TABLE public.te$n OWNER TO postgres; ALTER TABLE storage.buckets ADD CONSTRAINT fb$n FOREIGN KEY (owner) REFERENCES public.te$n",
  ],
  ["a comment on a table", "COMMENT ON TABLE storage.objects IS 'Ours $n'"],
  ["a comment on a column", "COMMENT ON COLUMN auth.users.phone IS 'It''s $n'"],
  ["a comment on an index of the platform", "COMMENT ON INDEX storage.bname IS 'Index $n'"],
  [
    "a comment on a policy",
    `CREATE POLICY "cp$n" ON storage.objects FOR DELETE USING (false); COMMENT ON POLICY "cp$n" ON storage.objects IS 'c$n'`,
  ],
  ["storage parameters", "ALTER TABLE auth.refresh_tokens SET (autovacuum_vacuum_scale_factor = 0.01)"],
  ["a replica identity", "ALTER TABLE storage.objects REPLICA IDENTITY FULL"],
  [
    "settings of a column",
    "ALTER TABLE auth.audit_log_entries ALTER payload SET STORAGE EXTERNAL, ALTER ip_address SET STATISTICS 5",
  ],
  ["a trigger of the platform that is off", "ALTER TABLE storage.objects DISABLE TRIGGER protect_objects_delete"],
  [
    "a trigger of one's own that is off",
    "CREATE FUNCTION public.td$n() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; ALTER FUNCTION public.td$n OWNER TO postgres; CREATE TRIGGER td$n BEFORE INSERT ON auth.identities FOR EACH ROW EXECUTE FUNCTION public.td$n(); ALTER TABLE auth.identities DISABLE TRIGGER td$n",
  ],
  ["row security for the owner", "ALTER TABLE storage.buckets FORCE ROW LEVEL SECURITY"],
  ["an index that is dropped", "DROP INDEX IF EXISTS storage.name_prefix_search"],
  ["a constraint that is dropped", "ALTER TABLE auth.sessions DROP CONSTRAINT IF EXISTS sessions_scopes_length"],
  ["row security that is off", "ALTER TABLE auth.audit_log_entries DISABLE ROW LEVEL SECURITY"],
  [
    "a policy on a table of another owner",
    `CREATE POLICY "pm$n" ON auth.mfa_factors FOR SELECT USING (user_id = auth.uid())`,
  ],
  [
    "a trigger on a table of another owner",
    "CREATE FUNCTION public.tm$n() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; ALTER FUNCTION public.tm$n OWNER TO postgres; CREATE TRIGGER tm$n AFTER INSERT ON auth.mfa_factors FOR EACH ROW EXECUTE FUNCTION public.tm$n()",
  ],
  ["a table in auth", "CREATE TABLE auth.mine$n (a int); ALTER TABLE auth.mine$n OWNER TO postgres"],
  ["a view in storage", "CREATE VIEW storage.view$n AS SELECT 1 AS a; ALTER VIEW storage.view$n OWNER TO postgres"],
  [
    "a function in auth",
    "CREATE FUNCTION auth.fn$n() RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION auth.fn$n OWNER TO postgres",
  ],
  [
    "a type and a sequence in storage",
    "CREATE TYPE storage.ty$n AS ENUM ('a'); ALTER TYPE storage.ty$n OWNER TO postgres; CREATE SEQUENCE storage.se$n; ALTER SEQUENCE storage.se$n OWNER TO postgres",
  ],
  [
    "an event trigger",
    "CREATE FUNCTION public.et$n() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM 1; END'; ALTER FUNCTION public.et$n OWNER TO postgres; CREATE EVENT TRIGGER et$n ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION public.et$n()",
  ],
  ["a table of the dashboard", "CREATE TABLE public.dash$n (a int); INSERT INTO public.dash$n VALUES ($n)"],
  ["the publication of Realtime with other options", "ALTER PUBLICATION supabase_realtime SET (publish = 'insert')"],
];
