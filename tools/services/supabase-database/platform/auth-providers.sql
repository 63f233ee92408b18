-- More tables of auth.sql.

SET ROLE supabase_auth_admin;

-- 20250804100000_add_oauth_authorizations_consents
CREATE TABLE auth.oauth_consents (
  id uuid PRIMARY KEY, user_id uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE,
  client_id uuid NOT NULL REFERENCES auth.oauth_clients ON DELETE CASCADE, scopes text NOT NULL,
  granted_at timestamptz DEFAULT now() NOT NULL, revoked_at timestamptz,
  CONSTRAINT oauth_consents_revoked_after_granted CHECK ((revoked_at IS NULL) OR (revoked_at >= granted_at)),
  CONSTRAINT oauth_consents_scopes_length CHECK (char_length(scopes) <= 2048),
  CONSTRAINT oauth_consents_scopes_not_empty CHECK (char_length(trim(scopes)) > 0),
  CONSTRAINT oauth_consents_user_client_unique UNIQUE (user_id, client_id)
);
CREATE INDEX oauth_consents_active_user_client_idx ON auth.oauth_consents (user_id, client_id) WHERE (revoked_at IS NULL);
CREATE INDEX oauth_consents_user_order_idx ON auth.oauth_consents (user_id, granted_at DESC);
CREATE INDEX oauth_consents_active_client_idx ON auth.oauth_consents (client_id) WHERE (revoked_at IS NULL);

-- 20251201000000_add_oauth_client_states_table
CREATE TABLE auth.oauth_client_states (
  id uuid PRIMARY KEY, provider_type text NOT NULL, code_verifier text, created_at timestamptz NOT NULL
);
CREATE INDEX idx_oauth_client_states_created_at ON auth.oauth_client_states (created_at);
COMMENT ON TABLE auth.oauth_client_states IS 'Stores OAuth states for third-party provider authentication flows where Supabase acts as the OAuth client.';

-- 20260219120000_add_custom_oauth_providers, 20260625000000_add_custom_claims_allowlist
CREATE TABLE auth.custom_oauth_providers (
  id uuid DEFAULT gen_random_uuid() PRIMARY KEY, provider_type text NOT NULL, identifier text NOT NULL UNIQUE,
  name text NOT NULL, client_id text NOT NULL, client_secret text NOT NULL,
  acceptable_client_ids text[] DEFAULT '{}' NOT NULL, scopes text[] DEFAULT '{}' NOT NULL,
  pkce_enabled boolean DEFAULT true NOT NULL, attribute_mapping jsonb DEFAULT '{}' NOT NULL,
  authorization_params jsonb DEFAULT '{}' NOT NULL, enabled boolean DEFAULT true NOT NULL,
  email_optional boolean DEFAULT false NOT NULL, issuer text, discovery_url text,
  skip_nonce_check boolean DEFAULT false NOT NULL, cached_discovery jsonb, discovery_cached_at timestamptz,
  authorization_url text, token_url text, userinfo_url text, jwks_uri text, created_at timestamptz DEFAULT now() NOT NULL,
  updated_at timestamptz DEFAULT now() NOT NULL, custom_claims_allowlist text[] DEFAULT '{}' NOT NULL,
  CONSTRAINT custom_oauth_providers_authorization_url_https CHECK ((authorization_url IS NULL)
    OR (authorization_url ~~ 'https://%')),
  CONSTRAINT custom_oauth_providers_authorization_url_length CHECK ((authorization_url IS NULL)
    OR (char_length(authorization_url) <= 2048)),
  CONSTRAINT custom_oauth_providers_client_id_length CHECK ((char_length(client_id) >= 1) AND (char_length(client_id) <= 512)),
  CONSTRAINT custom_oauth_providers_discovery_url_length CHECK ((discovery_url IS NULL)
    OR (char_length(discovery_url) <= 2048)),
  CONSTRAINT custom_oauth_providers_identifier_format CHECK (identifier ~ '^[a-z0-9][a-z0-9:-]{0,48}[a-z0-9]$'),
  CONSTRAINT custom_oauth_providers_issuer_length CHECK ((issuer IS NULL) OR ((char_length(issuer) >= 1)
    AND (char_length(issuer) <= 2048))),
  CONSTRAINT custom_oauth_providers_jwks_uri_https CHECK ((jwks_uri IS NULL) OR (jwks_uri ~~ 'https://%')),
  CONSTRAINT custom_oauth_providers_jwks_uri_length CHECK ((jwks_uri IS NULL) OR (char_length(jwks_uri) <= 2048)),
  CONSTRAINT custom_oauth_providers_name_length CHECK ((char_length(name) >= 1) AND (char_length(name) <= 100)),
  CONSTRAINT custom_oauth_providers_oauth2_requires_endpoints CHECK ((provider_type <> 'oauth2')
    OR ((authorization_url IS NOT NULL) AND (token_url IS NOT NULL) AND (userinfo_url IS NOT NULL))),
  CONSTRAINT custom_oauth_providers_oidc_discovery_url_https CHECK ((provider_type <> 'oidc') OR (discovery_url IS NULL)
    OR (discovery_url ~~ 'https://%')),
  CONSTRAINT custom_oauth_providers_oidc_issuer_https CHECK ((provider_type <> 'oidc') OR (issuer IS NULL)
    OR (issuer ~~ 'https://%')),
  CONSTRAINT custom_oauth_providers_oidc_requires_issuer CHECK ((provider_type <> 'oidc') OR (issuer IS NOT NULL)),
  CONSTRAINT custom_oauth_providers_provider_type_check CHECK (provider_type IN ('oauth2', 'oidc')),
  CONSTRAINT custom_oauth_providers_token_url_https CHECK ((token_url IS NULL) OR (token_url ~~ 'https://%')),
  CONSTRAINT custom_oauth_providers_token_url_length CHECK ((token_url IS NULL) OR (char_length(token_url) <= 2048)),
  CONSTRAINT custom_oauth_providers_userinfo_url_https CHECK ((userinfo_url IS NULL) OR (userinfo_url ~~ 'https://%')),
  CONSTRAINT custom_oauth_providers_userinfo_url_length CHECK ((userinfo_url IS NULL) OR (char_length(userinfo_url) <= 2048))
);
CREATE INDEX custom_oauth_providers_identifier_idx ON auth.custom_oauth_providers (identifier);
CREATE INDEX custom_oauth_providers_provider_type_idx ON auth.custom_oauth_providers (provider_type);
CREATE INDEX custom_oauth_providers_enabled_idx ON auth.custom_oauth_providers (enabled);
CREATE INDEX custom_oauth_providers_created_at_idx ON auth.custom_oauth_providers (created_at);

-- 20260302000000_add_passkeys
CREATE TABLE auth.webauthn_credentials (
  id uuid DEFAULT gen_random_uuid() PRIMARY KEY, user_id uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE,
  credential_id bytea NOT NULL, public_key bytea NOT NULL, attestation_type text DEFAULT '' NOT NULL, aaguid uuid,
  sign_count bigint DEFAULT 0 NOT NULL, transports jsonb DEFAULT '[]' NOT NULL,
  backup_eligible boolean DEFAULT false NOT NULL, backed_up boolean DEFAULT false NOT NULL,
  friendly_name text DEFAULT '' NOT NULL, created_at timestamptz DEFAULT now() NOT NULL,
  updated_at timestamptz DEFAULT now() NOT NULL, last_used_at timestamptz
);
CREATE UNIQUE INDEX webauthn_credentials_credential_id_key ON auth.webauthn_credentials (credential_id);
CREATE INDEX webauthn_credentials_user_id_idx ON auth.webauthn_credentials (user_id);

-- 20260302000000_add_passkeys
CREATE TABLE auth.webauthn_challenges (
  id uuid DEFAULT gen_random_uuid() PRIMARY KEY, user_id uuid REFERENCES auth.users ON DELETE CASCADE,
  challenge_type text NOT NULL, session_data jsonb NOT NULL, created_at timestamptz DEFAULT now() NOT NULL,
  expires_at timestamptz NOT NULL,
  CONSTRAINT webauthn_challenges_challenge_type_check CHECK (challenge_type IN ('signup', 'registration', 'authentication'))
);
CREATE INDEX webauthn_challenges_user_id_idx ON auth.webauthn_challenges (user_id);
CREATE INDEX webauthn_challenges_expires_at_idx ON auth.webauthn_challenges (expires_at);
RESET ROLE;
