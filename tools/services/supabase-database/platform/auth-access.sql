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

-- 20220224000811_update_auth_functions
create or replace function auth.uid() 
returns uuid 
language sql stable
as $$
  select 
  coalesce(
    nullif(current_setting('request.jwt.claim.sub', true), ''),
    (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')
  )::uuid
$$;

create or replace function auth.role() 
returns text 
language sql stable
as $$
  select 
  coalesce(
    nullif(current_setting('request.jwt.claim.role', true), ''),
    (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role')
  )::text
$$;

create or replace function auth.email() 
returns text 
language sql stable
as $$
  select 
  coalesce(
    nullif(current_setting('request.jwt.claim.email', true), ''),
    (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email')
  )::text
$$;

-- 20220531120530_add_auth_jwt_function
comment on function auth.uid() is 'Deprecated. Use auth.jwt() -> ''sub'' instead.';
comment on function auth.role() is 'Deprecated. Use auth.jwt() -> ''role'' instead.';
comment on function auth.email() is 'Deprecated. Use auth.jwt() -> ''email'' instead.';

create or replace function auth.jwt()
returns jsonb
language sql stable
as $$
  select 
    coalesce(
        nullif(current_setting('request.jwt.claim', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')
    )::jsonb
$$;
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
