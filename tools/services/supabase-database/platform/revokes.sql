-- What hosted projects have taken from postgres since April 2025: supabase/postgres, migrations/db/migrations/
-- 20250421084701_revoke_admin_roles_from_postgres.sql. Self-hosted servers and older projects have not.

REVOKE CREATE ON SCHEMA auth, storage, realtime FROM postgres;
REVOKE ALL ON storage.migrations FROM anon, authenticated, service_role, postgres;
REVOKE ALL ON auth.schema_migrations FROM dashboard_user, postgres;
REVOKE ALL ON realtime.schema_migrations FROM anon, authenticated, service_role, postgres;
-- Nor by the membership below.
REVOKE ALL ON auth.schema_migrations FROM supabase_auth_admin;
ALTER TABLE storage.migrations OWNER TO supabase_admin;

-- It revokes supabase_auth_admin, supabase_storage_admin and supabase_realtime_admin, too. Since then postgres may make policies on
-- their tables only because supautils lets it. Here the membership stays, which stands for supautils, and this refuses what else
-- only an owner may do.
CREATE FUNCTION extensions.only_for_owners() RETURNS event_trigger LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
  owned regclass;
BEGIN
  IF current_user <> 'postgres' THEN
    RETURN;
  END IF;
  SELECT c.oid INTO owned FROM pg_catalog.pg_event_trigger_ddl_commands() AS d
    LEFT JOIN pg_catalog.pg_index AS i ON i.indexrelid = d.objid
    LEFT JOIN pg_catalog.pg_policy AS p ON p.oid = d.objid AND d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass
    LEFT JOIN pg_catalog.pg_trigger AS t ON t.oid = d.objid AND d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass
    LEFT JOIN pg_catalog.pg_constraint AS k ON k.oid = d.objid AND d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
    JOIN pg_catalog.pg_class AS c ON c.oid = coalesce(i.indrelid, p.polrelid, t.tgrelid, k.conrelid, d.objid)
  WHERE c.relnamespace::pg_catalog.regnamespace::text IN ('auth', 'storage', 'realtime') LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'must be owner of table %', (SELECT relname FROM pg_catalog.pg_class WHERE oid = owned) USING ERRCODE = '42501';
  END IF;
END $$;
CREATE EVENT TRIGGER only_for_owners ON ddl_command_end WHEN TAG IN ('ALTER TABLE', 'CREATE INDEX', 'COMMENT')
  EXECUTE FUNCTION extensions.only_for_owners();
