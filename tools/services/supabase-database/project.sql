-- What people make of a project: generated data, the same for every run. Runs as postgres, which is no superuser.
-- The text :users is replaced by the number of users.

CREATE EXTENSION pg_trgm WITH SCHEMA extensions;
CREATE EXTENSION moddatetime WITH SCHEMA extensions;
CREATE EXTENSION pg_cron;
CREATE EXTENSION pgmq;

-- A role of the project's own, with an object and a membership.
DO $$
BEGIN
  -- Roles belong to the whole server, and another project on it may have made them.
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'reporting') THEN
    CREATE ROLE reporting NOLOGIN;
    COMMENT ON ROLE reporting IS 'Reads what reports need';
    CREATE ROLE app_owner NOLOGIN;
    GRANT reporting TO authenticator;
    GRANT app_owner TO postgres;
    ALTER ROLE reporting SET statement_timeout = '60s';
  END IF;
END $$;

CREATE TYPE public.plan AS ENUM ('free', 'pro', 'it''s "special"');
CREATE TABLE public.profiles (
  id uuid PRIMARY KEY REFERENCES auth.users ON DELETE CASCADE,
  username text UNIQUE NOT NULL,
  plan public.plan NOT NULL DEFAULT 'free',
  bio text,
  updated_at timestamptz
);
CREATE INDEX profiles_username_words ON public.profiles USING gin (username extensions.gin_trgm_ops);
ALTER TABLE public.profiles ENABLE ROW LEVEL SECURITY;
CREATE POLICY "Everybody sees profiles" ON public.profiles FOR SELECT USING (true);
CREATE POLICY "People change their own" ON public.profiles FOR UPDATE TO authenticated
  USING (auth.uid() = id) WITH CHECK (auth.uid() = id);
CREATE TRIGGER profiles_updated BEFORE UPDATE ON public.profiles
  FOR EACH ROW EXECUTE FUNCTION extensions.moddatetime(updated_at);
COMMENT ON TABLE public.profiles IS 'One a user; a trigger on auth.users makes it';

CREATE FUNCTION public.handle_new_user() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  INSERT INTO public.profiles (id, username) VALUES (NEW.id, NEW.raw_user_meta_data ->> 'username');
  RETURN NEW;
END $$;
CREATE TRIGGER on_auth_user_created AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION public.handle_new_user();
CREATE FUNCTION public.note_new_object() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER on_object_created AFTER INSERT OR UPDATE OF metadata ON storage.objects
  FOR EACH ROW WHEN (NEW.bucket_id = 'avatars') EXECUTE FUNCTION public.note_new_object();

-- Users, whose password is their own name and "-password".
INSERT INTO auth.users (instance_id, id, aud, role, email, encrypted_password, email_confirmed_at, raw_app_meta_data, raw_user_meta_data, created_at)
SELECT '00000000-0000-0000-0000-000000000000', md5('user ' || i)::uuid, 'authenticated', 'authenticated', format('user%s@example.com', i),
  CASE WHEN i % 10 > 0 THEN extensions.crypt(format('user%s-password', i), extensions.gen_salt('bf', 4)) END,
  '2026-01-01', '{"provider": "email", "providers": ["email"]}', jsonb_build_object('username', format('User %s 😀', i)),
  '2026-01-01 00:00:00+00'::timestamptz + i * interval '1 minute'
FROM generate_series(1, :users) AS i;
INSERT INTO auth.identities (provider_id, user_id, identity_data, provider, created_at, id)
SELECT id, id, jsonb_build_object('sub', id, 'email', email), 'email', created_at, id FROM auth.users;
INSERT INTO auth.sessions (id, user_id, created_at, aal, ip)
SELECT md5('session ' || id)::uuid, id, '2026-01-02', 'aal1', '2001:db8::1' FROM auth.users;
INSERT INTO auth.refresh_tokens (token, user_id, revoked, session_id, created_at)
SELECT md5('token ' || id), user_id, false, id, '2026-01-02' FROM auth.sessions ORDER BY id;
INSERT INTO auth.audit_log_entries (id, payload, created_at)
SELECT md5('audit ' || i)::uuid, json_build_object('action', 'login', 'n', i), '2026-01-03' FROM generate_series(1, 100) AS i;

INSERT INTO auth.oauth_clients (id, registration_type, redirect_uris, grant_types, client_name, token_endpoint_auth_method)
VALUES (md5('client')::uuid, 'dynamic', 'https://app.example.com', 'authorization_code', 'An app', 'none');
INSERT INTO auth.oauth_consents (id, user_id, client_id, scopes) SELECT md5('consent ' || id)::uuid, id, md5('client')::uuid, 'email' FROM auth.users;
INSERT INTO auth.webauthn_credentials (user_id, credential_id, public_key, friendly_name)
SELECT id, decode(md5(id::text), 'hex'), '\x01', 'A key' FROM auth.users LIMIT 3;
INSERT INTO auth.mfa_factors (id, user_id, friendly_name, factor_type, status, created_at, updated_at, secret)
SELECT md5('factor ' || id)::uuid, id, 'Phone', 'totp', 'verified', '2026-01-02', '2026-01-02', 'base32' FROM auth.users LIMIT 3;

INSERT INTO storage.buckets_analytics (name) VALUES ('lake');
INSERT INTO storage.buckets (id, name, public, file_size_limit, allowed_mime_types) VALUES
  ('avatars', 'avatars', true, 5242880, '{image/png,image/jpeg}'), ('documents', 'documents', false, NULL, NULL);
INSERT INTO storage.objects (id, bucket_id, name, owner, owner_id, metadata, version, created_at, last_accessed_at)
SELECT md5('object ' || i)::uuid, CASE i % 2 WHEN 0 THEN 'avatars' ELSE 'documents' END, format('user%s/file %s.png', i % 50, i),
  md5('user ' || 1 + i % :users)::uuid, md5('user ' || 1 + i % :users)::uuid::text,
  jsonb_build_object('size', i, 'mimetype', 'image/png', 'eTag', md5(i::text)), gen_random_uuid()::text, '2026-01-04', '2026-01-05'
FROM generate_series(1, 300) AS i;
CREATE POLICY "Avatars are public" ON storage.objects FOR SELECT USING (bucket_id = 'avatars');
CREATE POLICY "Own folder only" ON storage.objects FOR INSERT TO authenticated
  WITH CHECK (bucket_id = 'documents' AND (storage.foldername(name))[1] = auth.uid()::text);
CREATE POLICY "Not; the 'odd' ones" ON storage.objects AS RESTRICTIVE FOR DELETE TO authenticated, service_role USING (name <> 'a'';b"');
CREATE POLICY "Members read a room" ON realtime.messages FOR SELECT TO authenticated USING (realtime.topic() LIKE 'room:%');

-- A schema of its own, with nearly one of everything.
CREATE SCHEMA shop;
GRANT USAGE ON SCHEMA shop TO anon, authenticated, service_role, reporting;
ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO reporting;
CREATE TABLE shop.orders (
  id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  buyer uuid REFERENCES auth.users,
  total numeric(12, 2) NOT NULL CHECK (total >= 0),
  note text,
  placed timestamptz NOT NULL
);
INSERT INTO shop.orders (buyer, total, note, placed)
SELECT md5('user ' || 1 + i % :users)::uuid, i / 7.0, CASE WHEN i % 5 = 0 THEN repeat('long \t note ', i % 40) END,
  '2026-01-01'::timestamptz + i * interval '1 hour'
FROM generate_series(1, 3000) AS i;
CREATE TABLE shop.events (id bigserial, at date NOT NULL, kind text) PARTITION BY RANGE (at);
CREATE TABLE shop.events_2026 PARTITION OF shop.events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE shop.events_rest PARTITION OF shop.events DEFAULT;
INSERT INTO shop.events (at, kind) SELECT '2025-12-01'::date + i, 'view' FROM generate_series(1, 100) AS i;
CREATE VIEW shop.totals WITH (security_invoker = true) AS SELECT buyer, sum(total) AS total FROM shop.orders GROUP BY buyer;
CREATE MATERIALIZED VIEW shop.months AS
  SELECT date_trunc('month', placed AT TIME ZONE 'UTC') AS month, sum(total) AS total FROM shop.orders GROUP BY 1;
CREATE FUNCTION shop.total_of(who uuid) RETURNS numeric LANGUAGE sql STABLE AS $$ SELECT total FROM shop.totals WHERE buyer = who $$;
REVOKE EXECUTE ON FUNCTION shop.total_of FROM PUBLIC;
GRANT EXECUTE ON FUNCTION shop.total_of TO authenticated;
CREATE TRIGGER orders_hook AFTER INSERT ON shop.orders FOR EACH ROW EXECUTE FUNCTION supabase_functions.http_request();

-- An object of another owner, to which postgres itself has no more than a grant.
GRANT USAGE, CREATE ON SCHEMA shop TO app_owner;
SET ROLE app_owner;
CREATE TABLE shop.owned (id int PRIMARY KEY, body text);
INSERT INTO shop.owned SELECT i, 'row ' || i FROM generate_series(1, 20) AS i;
CREATE FUNCTION shop.owned_count() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM shop.owned $$;
GRANT SELECT ON shop.owned TO postgres, reporting;
RESET ROLE;

-- What nobody but the server may read: in public, where a new project opens every new table to anon.
CREATE TABLE public.secrets_of_ours (id int PRIMARY KEY, body text);
INSERT INTO public.secrets_of_ours VALUES (1, 'a private line');
REVOKE ALL ON public.secrets_of_ours FROM anon, authenticated;
CREATE FUNCTION public.admin_only() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$;
REVOKE EXECUTE ON FUNCTION public.admin_only FROM PUBLIC, anon, authenticated;
-- New functions are no longer for everybody.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM anon;

ALTER PUBLICATION supabase_realtime ADD TABLE public.profiles, shop.orders (id, total) WHERE (total > 10);
CREATE PUBLICATION warehouse FOR TABLE shop.orders WITH (publish = 'insert');

-- Grants on the platform's own objects.
GRANT USAGE ON SCHEMA pgmq TO service_role;
GRANT SELECT ON storage.objects TO reporting;
GRANT USAGE ON SCHEMA storage TO reporting;

SELECT cron.schedule('nightly', '0 3 * * *', $job$DELETE FROM shop.orders WHERE note = 'it''s; "old"'$job$);
SELECT cron.schedule('*/5 * * * *', 'SELECT 1');
SELECT cron.alter_job(cron.schedule('paused', '0 4 * * 0', 'VACUUM'), active := false);
SELECT pgmq.create('mails');
SELECT pgmq.create_unlogged('Weird queue');
SELECT pgmq.send('mails', jsonb_build_object('n', i, 'text', E'tab \t and \\ "quote"')) FROM generate_series(1, 40) AS i;
INSERT INTO pgmq.a_mails (msg_id, enqueued_at, archived_at, vt, message)
SELECT 100 + i, '2026-01-01', '2026-01-01', '2026-01-01', 'null' FROM generate_series(1, 5) AS i;
ALTER TABLE pgmq.q_mails ENABLE ROW LEVEL SECURITY;
CREATE POLICY "Service reads mails" ON pgmq.q_mails FOR SELECT TO service_role USING (true);
SELECT vault.create_secret('a key of ours: s3cr3t', 'api_key', 'For the mail service');
SELECT vault.create_secret(E'two\nlines', 'nameless');

-- The lists that Supabase's command-line program keeps (supabase/cli, pkg/migration/history.go).
CREATE SCHEMA supabase_migrations;
CREATE TABLE supabase_migrations.schema_migrations (version text PRIMARY KEY, statements text[], name text);
INSERT INTO supabase_migrations.schema_migrations VALUES ('20260101000000', '{"CREATE TABLE public.profiles ();"}', 'first');
CREATE TABLE supabase_migrations.seed_files (path text PRIMARY KEY, hash text NOT NULL);
INSERT INTO supabase_migrations.seed_files VALUES ('supabase/seed.sql', md5('seed'));

SELECT lo_from_bytea(424242, 'a large object');
ANALYZE public.profiles, shop.orders;
