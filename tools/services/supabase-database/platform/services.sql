-- What else the platform runs in a project's database.

CREATE SCHEMA graphql AUTHORIZATION supabase_admin;
CREATE SCHEMA graphql_public AUTHORIZATION supabase_admin;
GRANT USAGE ON SCHEMA graphql, graphql_public TO postgres, anon, authenticated, service_role;
CREATE FUNCTION graphql_public.graphql(query text) RETURNS jsonb LANGUAGE sql AS $$ SELECT '{}'::jsonb $$;

CREATE SCHEMA pgbouncer AUTHORIZATION pgbouncer;
CREATE FUNCTION pgbouncer.get_auth(wanted text) RETURNS TABLE (username text, password text) LANGUAGE sql SECURITY DEFINER
  AS $$ SELECT rolname::text, rolpassword::text FROM pg_authid WHERE rolname = wanted AND rolcanlogin $$;
REVOKE ALL ON FUNCTION pgbouncer.get_auth FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pgbouncer.get_auth TO pgbouncer;

CREATE SCHEMA supabase_functions AUTHORIZATION supabase_admin;
GRANT USAGE ON SCHEMA supabase_functions TO postgres, anon, authenticated, service_role;
CREATE TABLE supabase_functions.migrations (version text PRIMARY KEY, inserted_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE supabase_functions.hooks (
  id bigserial PRIMARY KEY, hook_table_id int NOT NULL, hook_name text NOT NULL, created_at timestamptz NOT NULL DEFAULT now(), request_id bigint
);
CREATE FUNCTION supabase_functions.http_request() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = supabase_functions
  AS $$ BEGIN INSERT INTO hooks (hook_table_id, hook_name) VALUES (TG_RELID::int, TG_NAME); RETURN NEW; END $$;
REVOKE ALL ON FUNCTION supabase_functions.http_request FROM PUBLIC;
GRANT EXECUTE ON FUNCTION supabase_functions.http_request TO postgres, anon, authenticated, service_role;

CREATE SCHEMA vault AUTHORIZATION supabase_admin;
CREATE EXTENSION supabase_vault WITH SCHEMA vault;
GRANT USAGE ON SCHEMA vault TO postgres WITH GRANT OPTION;
GRANT SELECT, DELETE ON vault.secrets, vault.decrypted_secrets TO postgres WITH GRANT OPTION;
GRANT EXECUTE ON FUNCTION vault.create_secret, vault._crypto_aead_det_decrypt TO postgres WITH GRANT OPTION;

-- What the platform does when an extension comes -----------------------------------------------------------------------

CREATE FUNCTION extensions.grant_pg_cron_access() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() AS e JOIN pg_extension AS x ON e.objid = x.oid WHERE extname = 'pg_cron') THEN
    GRANT USAGE ON SCHEMA cron TO postgres WITH GRANT OPTION;
    GRANT ALL ON ALL FUNCTIONS IN SCHEMA cron TO postgres WITH GRANT OPTION;
    GRANT SELECT ON cron.job, cron.job_run_details TO postgres WITH GRANT OPTION;
  END IF;
END $$;
CREATE EVENT TRIGGER issue_pg_cron_access ON ddl_command_end WHEN TAG IN ('CREATE EXTENSION')
  EXECUTE FUNCTION extensions.grant_pg_cron_access();
CREATE FUNCTION extensions.pgrst_ddl_watch() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN NOTIFY pgrst, 'reload schema'; END $$;
CREATE EVENT TRIGGER pgrst_ddl_watch ON ddl_command_end EXECUTE FUNCTION extensions.pgrst_ddl_watch();
