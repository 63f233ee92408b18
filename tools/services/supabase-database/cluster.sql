-- The roles of a hosted project, which belong to the whole server. Runs as supabase_admin, the server's own superuser.
-- The text :password is replaced.

CREATE ROLE postgres LOGIN CREATEDB CREATEROLE REPLICATION BYPASSRLS PASSWORD ':password';
CREATE ROLE anon NOLOGIN NOINHERIT;
CREATE ROLE authenticated NOLOGIN NOINHERIT;
CREATE ROLE service_role NOLOGIN NOINHERIT BYPASSRLS;
CREATE ROLE authenticator LOGIN NOINHERIT PASSWORD ':password';
CREATE ROLE supabase_auth_admin LOGIN NOINHERIT PASSWORD ':password';
CREATE ROLE supabase_storage_admin LOGIN NOINHERIT CREATEROLE PASSWORD ':password';
CREATE ROLE supabase_realtime_admin NOLOGIN NOINHERIT;
CREATE ROLE supabase_functions_admin LOGIN NOINHERIT CREATEROLE PASSWORD ':password';
CREATE ROLE supabase_replication_admin LOGIN REPLICATION;
CREATE ROLE supabase_etl_admin LOGIN REPLICATION;
CREATE ROLE supabase_read_only_user LOGIN BYPASSRLS;
CREATE ROLE dashboard_user CREATEDB CREATEROLE REPLICATION;
CREATE ROLE pgbouncer LOGIN;
-- supabase/postgres, migrations/db/migrations/20251215120934_supabase_superuser.sql
CREATE ROLE supabase_superuser;
GRANT supabase_superuser TO postgres, supabase_etl_admin;

GRANT pg_read_all_data TO supabase_read_only_user;
GRANT anon, authenticated, service_role TO authenticator;
GRANT anon, authenticated, service_role TO postgres WITH ADMIN OPTION;
-- Newer projects give postgres pg_read_all_data as well. Without it more is forbidden, which a backup must cope with.
GRANT pg_monitor, pg_signal_backend TO postgres;
ALTER ROLE anon SET statement_timeout = '3s';
ALTER ROLE authenticated SET statement_timeout = '8s';
ALTER ROLE authenticator SET statement_timeout = '8s';
ALTER ROLE authenticator SET lock_timeout = '8s';
ALTER ROLE postgres SET search_path = '$user', public, extensions;
ALTER ROLE supabase_admin SET search_path = '$user', public, auth, extensions;

-- A hosted server's supautils lets postgres set this one setting of superusers …
GRANT SET ON PARAMETER session_replication_role TO postgres;
-- … and make policies on a list of the platform's tables, which belong to these two. Membership stands for it here.
GRANT supabase_auth_admin, supabase_storage_admin, supabase_realtime_admin TO postgres;
