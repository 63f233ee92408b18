/** Changes inside what the platform itself made, and privileges taken from it. */
const OF_PLATFORM: readonly (readonly [what: string, sql: string])[] = [
  ["another default", "ALTER TABLE auth.users ALTER role SET DEFAULT 'member$n'"],
  ["another type", "ALTER TABLE auth.audit_log_entries ALTER ip_address TYPE text"],
  ["a column that is required", "ALTER TABLE storage.objects ALTER name SET NOT NULL"],
  ["statistics of a column", "ALTER TABLE auth.users ALTER email SET STATISTICS 77"],
  ["a fill factor", "ALTER TABLE storage.objects SET (fillfactor = 80)"],
  ["a table that is not logged", "ALTER TABLE auth.audit_log_entries SET UNLOGGED"],
  ["another index", "DROP INDEX storage.bname; CREATE UNIQUE INDEX bname ON storage.buckets (lower(name))"],
  [
    "another check",
    "ALTER TABLE auth.users DROP CONSTRAINT users_email_change_confirm_status_check, ADD CONSTRAINT users_email_change_confirm_status_check CHECK (email_change_confirm_status < 9)",
  ],
  [
    "another foreign key",
    `ALTER TABLE storage.objects DROP CONSTRAINT "objects_bucketId_fkey", ADD CONSTRAINT "objects_bucketId_fkey" FOREIGN KEY (bucket_id) REFERENCES storage.buckets ON DELETE CASCADE`,
  ],
  [
    "another trigger of the platform",
    "DROP TRIGGER update_objects_updated_at ON storage.objects; CREATE TRIGGER update_objects_updated_at BEFORE UPDATE OF name ON storage.objects FOR EACH ROW EXECUTE FUNCTION storage.update_updated_at_column()",
  ],
  ["a trigger of the platform that is dropped", "DROP TRIGGER enforce_bucket_name_length_trigger ON storage.buckets"],
  [
    "a trigger of one's own that calls the platform's function",
    "CREATE TRIGGER st$n BEFORE UPDATE ON storage.buckets FOR EACH ROW EXECUTE FUNCTION storage.update_updated_at_column(); COMMENT ON TRIGGER st$n ON storage.buckets IS 'Ours'; ALTER TABLE storage.buckets ENABLE ALWAYS TRIGGER st$n",
  ],
  [
    "a trigger of one's own that calls one's own function in storage",
    "CREATE FUNCTION storage.tf$n() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; ALTER FUNCTION storage.tf$n OWNER TO postgres; CREATE TRIGGER so$n BEFORE UPDATE ON storage.buckets FOR EACH ROW EXECUTE FUNCTION storage.tf$n()",
  ],
  [
    "a trigger's function with another body",
    "CREATE OR REPLACE FUNCTION storage.protect_delete() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
  ],
  [
    "a function with another body",
    "CREATE OR REPLACE FUNCTION auth.role() RETURNS text LANGUAGE sql STABLE AS $f$ SELECT 'role$n' $f$",
  ],
  ["a function with other attributes", "ALTER FUNCTION auth.uid() COST 7 SECURITY DEFINER SET search_path = ''"],
  ["a function with another owner", "ALTER FUNCTION storage.foldername(text) OWNER TO postgres"],
  ["a value of a type", "ALTER TYPE auth.factor_type ADD VALUE 'kind$n'"],
  ["a rule", "CREATE RULE ru$n AS ON UPDATE TO auth.instances DO ALSO NOTIFY instances"],
  ["a table's privilege that is revoked", "REVOKE SELECT ON storage.objects FROM anon"],
  ["all privileges that are revoked", "REVOKE ALL ON storage.buckets FROM authenticated, service_role"],
  ["a function's privilege that is revoked", "REVOKE EXECUTE ON FUNCTION auth.email() FROM PUBLIC"],
  ["a schema's privilege that is revoked", "REVOKE USAGE ON SCHEMA storage FROM anon"],
  ["another comment on a table", "COMMENT ON TABLE auth.users IS 'Ours $n'"],
  ["another comment on a function", "COMMENT ON FUNCTION auth.email() IS 'Ours $n'"],
  ["a comment on a function", "COMMENT ON FUNCTION storage.foldername(text) IS 'Ours $n'"],
  ["a comment on a schema of the platform", "COMMENT ON SCHEMA storage IS 'Ours $n'"],
];

/** On the platform's tables and beside them, in names of which `$n` is a number of its own. */
export const ON_PLATFORM: readonly (readonly [what: string, sql: string])[] = [
  ...OF_PLATFORM,
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
