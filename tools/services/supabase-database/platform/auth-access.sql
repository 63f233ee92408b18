-- Who may do what with the tables of auth.sql, and the functions for policies. Files are those of supabase/auth, migrations/.

SET ROLE supabase_auth_admin;
-- 20240612123726_enable_rls_update_grants
DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY '{
    audit_log_entries, flow_state, identities, instances, mfa_amr_claims, mfa_challenges, mfa_factors,
    one_time_tokens, refresh_tokens, saml_providers, saml_relay_states, schema_migrations, sessions,
    sso_domains, sso_providers, users
  }'::text[] LOOP
    EXECUTE format('ALTER TABLE auth.%I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('GRANT SELECT ON auth.%I TO postgres WITH GRANT OPTION', name);
  END LOOP;
END $$;

-- 20211202183645_update_auth_uid, 20211124214934_update_auth_functions, 20220531120530_add_auth_jwt_function; in words of our own
CREATE FUNCTION auth.jwt() RETURNS jsonb LANGUAGE sql STABLE
  AS $$ SELECT nullif(current_setting('request.jwt.claims', true), '')::jsonb $$;
CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE
  AS $$ SELECT nullif(current_setting('request.jwt.claim.sub', true), '')::uuid $$;
CREATE FUNCTION auth.role() RETURNS text LANGUAGE sql STABLE
  AS $$ SELECT nullif(current_setting('request.jwt.claim.role', true), '')::text $$;
CREATE FUNCTION auth.email() RETURNS text LANGUAGE sql STABLE
  AS $$ SELECT nullif(current_setting('request.jwt.claim.email', true), '')::text $$;
GRANT EXECUTE ON FUNCTION auth.uid(), auth.role(), auth.email() TO anon, authenticated, service_role;
INSERT INTO auth.schema_migrations VALUES ('20171026211738'), ('20240806073726'), ('20260625000000');
RESET ROLE;

-- Tables that are not on the list of those on which a hosted server lets postgres make policies (supabase/postgres:
-- ansible/files/postgresql_config/conf.d/supautils.conf, supautils.policy_grants), and one more: here the membership that
-- stands for the list must not reach their owner.
DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY '{
    mfa_factors, oauth_authorizations, oauth_consents, oauth_client_states, custom_oauth_providers, webauthn_credentials,
    webauthn_challenges, schema_migrations
  }'::text[]
  LOOP
    EXECUTE format('ALTER TABLE auth.%I OWNER TO supabase_admin', name);
    EXECUTE format('GRANT ALL ON auth.%I TO supabase_auth_admin, postgres, dashboard_user', name);
  END LOOP;
END $$;
