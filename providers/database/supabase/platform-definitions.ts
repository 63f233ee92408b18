/**
 * By kind: what the migrations of supabase/auth (bc32168e, 2026-08-20) and supabase/storage (4fa61fba, 2026-08-21) have ever made on their
 * tables, as `schema.table.name`, of a table itself `schema.table`. Indexes are without those of constraints.
 * `tools/platform-definitions.ts` writes this file.
 */
export const PLATFORM_DEFINITIONS: Definitions = {
  column: namesOf(`
  auth.audit_log_entries: created_at id instance_id ip_address payload
  auth.custom_oauth_providers: acceptable_client_ids attribute_mapping authorization_params authorization_url
    cached_discovery client_id client_secret created_at custom_claims_allowlist discovery_cached_at discovery_url
    email_optional enabled id identifier issuer jwks_uri name pkce_enabled provider_type scopes skip_nonce_check
    token_url updated_at userinfo_url
  auth.flow_state: auth_code auth_code_issued_at authentication_method code_challenge code_challenge_method
    created_at email_optional id invite_token linking_target_id oauth_client_state_id provider_access_token
    provider_refresh_token provider_type referrer updated_at user_id
  auth.identities: created_at email id identity_data last_sign_in_at provider provider_id updated_at user_id
  auth.instances: created_at id raw_base_config updated_at uuid
  auth.mfa_amr_claims: authentication_method created_at id session_id updated_at
  auth.mfa_challenges: created_at factor_id id ip_address otp_code verified_at web_authn_session_data
  auth.mfa_factors: created_at factor_type friendly_name id last_challenged_at last_webauthn_challenge_data phone
    secret status updated_at user_id web_authn_aaguid web_authn_credential
  auth.oauth_authorizations: approved_at authorization_code authorization_id client_id code_challenge
    code_challenge_method created_at expires_at id nonce redirect_uri resource response_type scope state status
    user_id
  auth.oauth_client_states: code_verifier created_at id provider_type
  auth.oauth_clients: client_id client_name client_secret_hash client_type client_uri created_at deleted_at
    grant_types id logo_uri redirect_uris registration_type token_endpoint_auth_method updated_at
  auth.oauth_consents: client_id granted_at id revoked_at scopes user_id
  auth.one_time_tokens: created_at id relates_to token_hash token_type updated_at user_id
  auth.refresh_tokens: created_at id instance_id parent revoked session_id token updated_at user_id
  auth.saml_providers: attribute_mapping created_at entity_id id metadata_url metadata_xml name_id_format
    sso_provider_id updated_at
  auth.saml_relay_states: created_at flow_state_id for_email from_ip_address id redirect_to request_id
    sso_provider_id updated_at
  auth.schema_migrations: version
  auth.sessions: aal created_at factor_id id ip not_after oauth_client_id refresh_token_counter
    refresh_token_hmac_key refreshed_at scopes tag updated_at user_agent user_id
  auth.sso_domains: created_at domain id sso_provider_id updated_at
  auth.sso_providers: created_at disabled id resource_id updated_at
  auth.sso_sessions: created_at id idp_initiated not_after not_before session_id sso_provider_id updated_at
  auth.users: aud banned_until confirmation_sent_at confirmation_token confirmed_at created_at deleted_at email
    email_change email_change_confirm_status email_change_sent_at email_change_token email_change_token_current
    email_change_token_new email_confirmed_at encrypted_password id instance_id invited_at is_anonymous is_sso_user
    is_super_admin last_sign_in_at phone phone_change phone_change_sent_at phone_change_token phone_confirmed_at
    raw_app_meta_data raw_user_meta_data reauthentication_sent_at reauthentication_token recovery_sent_at
    recovery_token role updated_at
  auth.webauthn_challenges: challenge_type created_at expires_at id session_data user_id
  auth.webauthn_credentials: aaguid attestation_type backed_up backup_eligible created_at credential_id friendly_name
    id last_used_at public_key sign_count transports updated_at user_id
  storage.buckets: allowed_mime_types avif_autodetection created_at file_size_limit id max_file_size_kb name owner
    owner_id public type updated_at versioning_status
  storage.buckets_analytics: created_at deleted_at format id name type updated_at
  storage.buckets_vectors: created_at id type updated_at
  storage.iceberg_namespaces: bucket_id bucket_name catalog_id created_at id metadata name updated_at
  storage.iceberg_tables: bucket_id bucket_name catalog_id created_at id location name namespace_id remote_table_id
    shard_id shard_key updated_at
  storage.migrations: executed_at hash id name
  storage.objects: archived_at bucket_id created_at id is_delete_marker is_versioned last_accessed_at level metadata
    name owner owner_id path_tokens updated_at user_metadata version
  storage.prefixes: bucket_id created_at level name updated_at
  storage.s3_multipart_uploads: bucket_id created_at id in_progress_size key metadata owner_id upload_signature
    user_metadata version
  storage.s3_multipart_uploads_parts: bucket_id created_at etag id key owner_id part_number size upload_id version
  storage.vector_indexes: bucket_id created_at data_type dimension distance_metric id metadata_configuration name
    updated_at
`),
  comment: namesOf(`
  auth.audit_log_entries: ""
  auth.flow_state: ""
  auth.identities: "" email identities_email_idx
  auth.instances: ""
  auth.mfa_amr_claims: ""
  auth.mfa_challenges: ""
  auth.mfa_factors: "" last_webauthn_challenge_data
  auth.oauth_client_states: ""
  auth.refresh_tokens: ""
  auth.saml_providers: ""
  auth.saml_relay_states: ""
  auth.schema_migrations: ""
  auth.sessions: "" not_after refresh_token_counter refresh_token_hmac_key
  auth.sso_domains: ""
  auth.sso_providers: "" resource_id
  auth.sso_sessions: ""
  auth.users: "" is_sso_user users_email_partial_key
  storage.buckets: owner
  storage.objects: owner
`),
  constraint: namesOf(`
  auth.audit_log_entries: audit_log_entries_pkey
  auth.custom_oauth_providers: custom_oauth_providers_authorization_url_https
    custom_oauth_providers_authorization_url_length custom_oauth_providers_client_id_length
    custom_oauth_providers_discovery_url_length custom_oauth_providers_identifier_format
    custom_oauth_providers_identifier_key custom_oauth_providers_issuer_length custom_oauth_providers_jwks_uri_https
    custom_oauth_providers_jwks_uri_length custom_oauth_providers_name_length
    custom_oauth_providers_oauth2_requires_endpoints custom_oauth_providers_oidc_discovery_url_https
    custom_oauth_providers_oidc_issuer_https custom_oauth_providers_oidc_requires_issuer custom_oauth_providers_pkey
    custom_oauth_providers_provider_type_check custom_oauth_providers_token_url_https
    custom_oauth_providers_token_url_length custom_oauth_providers_userinfo_url_https
    custom_oauth_providers_userinfo_url_length
  auth.flow_state: flow_state_pkey
  auth.identities: identities_pkey identities_provider_id_provider_unique identities_user_id_fkey
  auth.instances: instances_pkey
  auth.mfa_amr_claims: amr_id_pk mfa_amr_claims_session_id_authentication_method_pkey mfa_amr_claims_session_id_fkey
  auth.mfa_challenges: mfa_challenges_auth_factor_id_fkey mfa_challenges_pkey
  auth.mfa_factors: mfa_factors_last_challenged_at_key mfa_factors_phone_key mfa_factors_pkey
    mfa_factors_user_id_fkey
  auth.oauth_authorizations: oauth_authorizations_authorization_code_key
    oauth_authorizations_authorization_code_length oauth_authorizations_authorization_id_key
    oauth_authorizations_client_id_fkey oauth_authorizations_code_challenge_length
    oauth_authorizations_expires_at_future oauth_authorizations_nonce_length oauth_authorizations_pkey
    oauth_authorizations_redirect_uri_length oauth_authorizations_resource_length oauth_authorizations_scope_length
    oauth_authorizations_state_length oauth_authorizations_user_id_fkey
  auth.oauth_client_states: oauth_client_states_pkey
  auth.oauth_clients: oauth_clients_client_id_key oauth_clients_client_name_length oauth_clients_client_uri_length
    oauth_clients_logo_uri_length oauth_clients_pkey oauth_clients_token_endpoint_auth_method_check
  auth.oauth_consents: oauth_consents_client_id_fkey oauth_consents_pkey oauth_consents_revoked_after_granted
    oauth_consents_scopes_length oauth_consents_scopes_not_empty oauth_consents_user_client_unique
    oauth_consents_user_id_fkey
  auth.one_time_tokens: one_time_tokens_pkey one_time_tokens_token_hash_check one_time_tokens_user_id_fkey
  auth.refresh_tokens: refresh_tokens_parent_fkey refresh_tokens_pkey refresh_tokens_session_id_fkey
    refresh_tokens_token_unique
  auth.saml_providers: "entity_id not empty" "metadata_url not empty" "metadata_xml not empty"
    saml_providers_entity_id_key saml_providers_pkey saml_providers_sso_provider_id_fkey
  auth.saml_relay_states: "request_id not empty" saml_relay_states_flow_state_id_fkey saml_relay_states_pkey
    saml_relay_states_sso_provider_id_fkey
  auth.schema_migrations: schema_migrations_pkey
  auth.sessions: sessions_oauth_client_id_fkey sessions_pkey sessions_scopes_length sessions_user_id_fkey
  auth.sso_domains: "domain not empty" sso_domains_pkey sso_domains_sso_provider_id_fkey
  auth.sso_providers: "resource_id not empty" sso_providers_pkey
  auth.sso_sessions: sso_sessions_pkey sso_sessions_session_id_fkey sso_sessions_sso_provider_id_fkey
  auth.users: users_email_change_confirm_status_check users_email_key users_phone_key users_pkey
  auth.webauthn_challenges: webauthn_challenges_challenge_type_check webauthn_challenges_pkey
    webauthn_challenges_user_id_fkey
  auth.webauthn_credentials: webauthn_credentials_pkey webauthn_credentials_user_id_fkey
  storage.buckets: buckets_pkey buckets_versioning_dark_check buckets_versioning_standard_only_check
    buckets_versioning_status_check
  storage.buckets_analytics: buckets_analytics_pkey
  storage.buckets_vectors: buckets_vectors_pkey
  storage.iceberg_namespaces: iceberg_namespaces_bucket_id_fkey iceberg_namespaces_catalog_id_fkey
    iceberg_namespaces_pkey
  storage.iceberg_tables: iceberg_tables_bucket_id_fkey iceberg_tables_catalog_id_fkey
    iceberg_tables_namespace_id_fkey iceberg_tables_pkey
  storage.migrations: migrations_name_key migrations_pkey
  storage.objects: objects_bucketId_fkey objects_pkey
  storage.prefixes: prefixes_bucketId_fkey prefixes_pkey
  storage.s3_multipart_uploads: s3_multipart_uploads_bucket_id_fkey s3_multipart_uploads_pkey
  storage.s3_multipart_uploads_parts: s3_multipart_uploads_parts_bucket_id_fkey s3_multipart_uploads_parts_pkey
    s3_multipart_uploads_parts_upload_id_fkey
  storage.vector_indexes: vector_indexes_bucket_id_fkey vector_indexes_pkey
`),
  index: namesOf(`
  auth.audit_log_entries: audit_logs_instance_id_idx
  auth.custom_oauth_providers: custom_oauth_providers_created_at_idx custom_oauth_providers_enabled_idx
    custom_oauth_providers_identifier_idx custom_oauth_providers_provider_type_idx
  auth.flow_state: flow_state_created_at_idx idx_auth_code idx_user_id_auth_method
  auth.identities: identities_email_idx identities_user_id_idx
  auth.mfa_challenges: mfa_challenge_created_at_idx
  auth.mfa_factors: factor_id_created_at_idx mfa_factors_user_friendly_name_unique mfa_factors_user_id_idx
    unique_phone_factor_per_user unique_verified_phone_factor
  auth.oauth_authorizations: oauth_auth_pending_exp_idx
  auth.oauth_client_states: idx_oauth_client_states_created_at
  auth.oauth_clients: oauth_clients_client_id_idx oauth_clients_deleted_at_idx
  auth.oauth_consents: oauth_consents_active_client_idx oauth_consents_active_user_client_idx
    oauth_consents_user_order_idx
  auth.one_time_tokens: one_time_tokens_relates_to_hash_idx one_time_tokens_token_hash_hash_idx
    one_time_tokens_user_id_token_type_key
  auth.refresh_tokens: refresh_tokens_instance_id_idx refresh_tokens_instance_id_user_id_idx
    refresh_tokens_parent_idx refresh_tokens_session_id_revoked_idx refresh_tokens_token_idx
    refresh_tokens_updated_at_idx
  auth.saml_providers: saml_providers_sso_provider_id_idx
  auth.saml_relay_states: saml_relay_states_created_at_idx saml_relay_states_for_email_idx
    saml_relay_states_sso_provider_id_idx
  auth.sessions: sessions_not_after_idx sessions_oauth_client_id_idx sessions_user_id_idx user_id_created_at_idx
  auth.sso_domains: sso_domains_domain_idx sso_domains_sso_provider_id_idx
  auth.sso_providers: sso_providers_resource_id_idx sso_providers_resource_id_pattern_idx
  auth.sso_sessions: sso_sessions_session_id_idx sso_sessions_sso_provider_id_idx
  auth.users: confirmation_token_idx email_change_token_current_idx email_change_token_new_idx
    reauthentication_token_idx recovery_token_idx users_email_partial_key users_instance_id_email_idx
    users_instance_id_idx users_is_anonymous_idx
  auth.webauthn_challenges: webauthn_challenges_expires_at_idx webauthn_challenges_user_id_idx
  auth.webauthn_credentials: webauthn_credentials_credential_id_key webauthn_credentials_user_id_idx
  storage.buckets: bname
  storage.buckets_analytics: buckets_analytics_unique_name_idx
  storage.iceberg_namespaces: idx_iceberg_namespaces_bucket_id
  storage.iceberg_tables: idx_iceberg_tables_location idx_iceberg_tables_namespace_id
  storage.objects: bucketid_objname idx_name_bucket_level_unique idx_objects_bucket_id_name
    idx_objects_bucket_id_name_lower idx_objects_lower_name name_prefix_search objects_bucket_id_level_idx
  storage.prefixes: idx_prefixes_lower_name
  storage.s3_multipart_uploads: idx_multipart_uploads_list
  storage.vector_indexes: vector_indexes_name_bucket_id_idx
`),
  setting: namesOf(`
  auth.audit_log_entries: "row level security"
  auth.flow_state: "row level security"
  auth.identities: "row level security"
  auth.instances: "row level security"
  auth.mfa_amr_claims: "row level security"
  auth.mfa_challenges: "row level security"
  auth.mfa_factors: "row level security"
  auth.one_time_tokens: "row level security"
  auth.refresh_tokens: "row level security"
  auth.saml_providers: "row level security"
  auth.saml_relay_states: "row level security"
  auth.schema_migrations: "row level security"
  auth.sessions: "row level security"
  auth.sso_domains: "row level security"
  auth.sso_providers: "row level security"
  auth.users: "row level security"
  storage.buckets: "row level security"
  storage.buckets_analytics: "row level security"
  storage.buckets_vectors: "row level security"
  storage.iceberg_namespaces: "row level security"
  storage.iceberg_tables: "row level security"
  storage.migrations: "row level security"
  storage.objects: "row level security"
  storage.prefixes: "row level security"
  storage.s3_multipart_uploads: "row level security"
  storage.s3_multipart_uploads_parts: "row level security"
  storage.vector_indexes: "row level security"
`),
};

/** Those of them that a later migration has removed. */
export const REMOVED_DEFINITIONS: Definitions = {
  column: namesOf(`
  auth.oauth_clients: client_id
  auth.saml_relay_states: from_ip_address
  auth.sso_sessions: created_at id idp_initiated not_after not_before session_id sso_provider_id updated_at
  auth.users: email_change_token
  storage.buckets: max_file_size_kb
  storage.iceberg_namespaces: bucket_id
  storage.iceberg_tables: bucket_id
  storage.objects: level
  storage.prefixes: bucket_id created_at level name updated_at
`),
  comment: namesOf(`
  auth.sso_sessions: ""
`),
  constraint: namesOf(`
  auth.mfa_factors: mfa_factors_phone_key
  auth.oauth_clients: oauth_clients_client_id_key
  auth.refresh_tokens: refresh_tokens_parent_fkey
  auth.sso_sessions: sso_sessions_pkey sso_sessions_session_id_fkey sso_sessions_sso_provider_id_fkey
  auth.users: users_email_key
  storage.iceberg_namespaces: iceberg_namespaces_bucket_id_fkey
  storage.iceberg_tables: iceberg_tables_bucket_id_fkey
  storage.prefixes: prefixes_bucketId_fkey prefixes_pkey
`),
  index: namesOf(`
  auth.mfa_factors: unique_verified_phone_factor
  auth.oauth_clients: oauth_clients_client_id_idx
  auth.refresh_tokens: refresh_tokens_token_idx
  auth.sso_sessions: sso_sessions_session_id_idx sso_sessions_sso_provider_id_idx
  storage.objects: idx_name_bucket_level_unique idx_objects_lower_name objects_bucket_id_level_idx
  storage.prefixes: idx_prefixes_lower_name
`),
  setting: namesOf(`
  storage.prefixes: "row level security"
`),
};

type Definitions = Readonly<Record<"column" | "comment" | "constraint" | "index" | "setting", readonly string[]>>;

/** Names after their tables; one of several words is in quotation marks. */
function namesOf(text: string): string[] {
  let table = "";
  return (
    text.match(/"[^"]*"|\S+/g)?.flatMap((word) => {
      if (!word.endsWith(":")) return [table + (word === '""' ? "" : `.${word.replaceAll('"', "")}`)];
      table = word.slice(0, -1);
      return [];
    }) ?? []
  );
}
