import type { PlatformTexts } from "../table-definitions.ts";

/** What the migrations of supabase/auth (bc32168e, 2026-08-20) make. `tools/platform-definitions.ts` writes this file. */
export const AUTH: PlatformTexts = {
  version: "supabase/auth (bc32168e, 2026-08-20)",
  column: `
  auth.audit_log_entries: created_at=21fc02 id=03e60c instance_id=889100 ip_address=47cfd6 payload=a1c78f
  auth.custom_oauth_providers: acceptable_client_ids=06440b attribute_mapping=07a2ec authorization_params=2b1b31 authorization_url=1204c1
    cached_discovery=6ec88e client_id=8a4923 client_secret=78ccbf created_at=170a76 custom_claims_allowlist=5dd5f7
    discovery_cached_at=bedb36 discovery_url=35a765 email_optional=d8c7f0 enabled=9f7e34 id=bfb5d7 identifier=2c14cf issuer=2d0717
    jwks_uri=d7aaed name=8dc31e pkce_enabled=73bc79 provider_type=b2b48f scopes=41e648 skip_nonce_check=55e195 token_url=71fa28
    updated_at=73b130 userinfo_url=501510
  auth.flow_state: auth_code=595f4e,947554 auth_code_issued_at=f75ec4 authentication_method=33825b code_challenge=7e97a4,bf2c94
    code_challenge_method=83b614,f2f86f created_at=29760d email_optional=a38aae id=2a33a1 invite_token=c87aa9 linking_target_id=317992
    oauth_client_state_id=a80b6d provider_access_token=161896 provider_refresh_token=223cb8 provider_type=9242cf referrer=18ac18
    updated_at=1ef807 user_id=72aad6
  auth.identities: created_at=36fad2 email=d83db8 id=94f8cc,b3f4d4 identity_data=ba3f32 last_sign_in_at=d8f2b8 provider=13c37f
    provider_id=9ce8e4 updated_at=db8d6b user_id=d0d384
  auth.instances: created_at=579aec id=a21fcc raw_base_config=d39188 updated_at=8cf0f4 uuid=2a5bb2
  auth.mfa_amr_claims: authentication_method=fe72e4 created_at=26d1e3 id=f2c58a session_id=c31e81 updated_at=621545
  auth.mfa_challenges: created_at=e420ee factor_id=86d6de id=31c07c ip_address=37a34e otp_code=11badb verified_at=a3c4da
    web_authn_session_data=89e620
  auth.mfa_factors: created_at=bf7604 factor_type=18c0e6 friendly_name=cd55f3 id=93820d last_challenged_at=677821
    last_webauthn_challenge_data=c0ce38 phone=2a43dd secret=df84d2 status=b08e4d updated_at=02a9d4 user_id=f71cf2 web_authn_aaguid=0fe85c
    web_authn_credential=f75345
  auth.oauth_authorizations: approved_at=e6e93e authorization_code=db600d authorization_id=bc9788 client_id=b7d1de code_challenge=152afa
    code_challenge_method=5b2e79 created_at=8c1577 expires_at=d49dde id=7758b0 nonce=80c3d7 redirect_uri=05d282 resource=3fdc85
    response_type=f9ca0f scope=713446 state=240483 status=2c6522 user_id=98e6d6
  auth.oauth_client_states: code_verifier=32fea4 created_at=16ff4c id=541be9 provider_type=f170c4
  auth.oauth_clients: -client_id=fb6df3 client_name=6f2d4b client_secret_hash=e350a9,f961e6 client_type=595021 client_uri=b150e1
    created_at=9d37f3 deleted_at=9448e7 grant_types=e08eaf id=5bfb95 logo_uri=92af1b redirect_uris=850d31 registration_type=757f11
    token_endpoint_auth_method=9051eb updated_at=9f005b
  auth.oauth_consents: client_id=04b64a granted_at=2e1252 id=dc6354 revoked_at=d9789c scopes=575eb5 user_id=46187e
  auth.one_time_tokens: created_at=bcf62e id=e10f20 relates_to=ae0f49 token_hash=0bbc7e token_type=0324c0 updated_at=eafd36
    user_id=a3f93d
  auth.refresh_tokens: created_at=653e44 id=cfd147 instance_id=39e023 parent=4438aa revoked=c74914 session_id=051569 token=1658aa
    updated_at=88a287 user_id=8f4af4
  auth.saml_providers: attribute_mapping=ae4476 created_at=c5ffa8 entity_id=f4281e id=e10602 metadata_url=ed7c3c metadata_xml=92d6b2
    name_id_format=0c18e6 sso_provider_id=98251f updated_at=5df804
  auth.saml_relay_states: created_at=423dcd flow_state_id=cfedc3 for_email=91b840 -from_ip_address=eabfdc id=58406c redirect_to=8c584f
    request_id=bc2752 sso_provider_id=f3945c updated_at=b92f96
  auth.schema_migrations: version=0595a3
  auth.sessions: aal=c21904 created_at=18c19f factor_id=08e6dd id=e5c368 ip=cbd6b2 not_after=026947 oauth_client_id=c372f0
    refresh_token_counter=1103fa refresh_token_hmac_key=9aa574 refreshed_at=19f278 scopes=550e3a tag=c9c1fe updated_at=0d9913
    user_agent=bdabd5 user_id=19ecca
  auth.sso_domains: created_at=7d104a domain=7293b5 id=55f413 sso_provider_id=0f3058 updated_at=02b527
  auth.sso_providers: created_at=73cb8c disabled=bcce39 id=deece1 resource_id=a81fbb updated_at=cdf46e
  auth.sso_sessions: -created_at=7cdd40 -id=5946fc -idp_initiated=bf7b19 -not_after=de3ae8 -not_before=394889 -session_id=aa1653
    -sso_provider_id=12cfb1 -updated_at=d4e56d
  auth.users: aud=11d7c0 banned_until=c5c0d7 confirmation_sent_at=ce738e confirmation_token=bff882 confirmed_at=51416f,a848fd
    created_at=b0b57f deleted_at=20eaf0 email=d0b068 email_change=3c956b email_change_confirm_status=2cde48 email_change_sent_at=c37185
    -email_change_token=9b1c2b email_change_token_current=0086fb email_change_token_new=7a0abd email_confirmed_at=a8e63f
    encrypted_password=983357 id=766b0b instance_id=f84517 invited_at=a49b34 is_anonymous=b4d19b is_sso_user=421e71 is_super_admin=0e63fb
    last_sign_in_at=69369e phone=75f2bb,a8d648 phone_change=60b062,e63cfc phone_change_sent_at=440a0e phone_change_token=7e1a42
    phone_confirmed_at=e30f34 raw_app_meta_data=17ed3a raw_user_meta_data=cb73c4 reauthentication_sent_at=83438e
    reauthentication_token=bc77e6 recovery_sent_at=dd4aaa recovery_token=bd6b4d role=85eb57 updated_at=6fa29d
  auth.webauthn_challenges: challenge_type=0ae093 created_at=ff3912 expires_at=edca1b id=94f7b8 session_data=0a5cac user_id=8f3cf6
  auth.webauthn_credentials: aaguid=759df0 attestation_type=54b04c backed_up=e9e70e backup_eligible=584f55 created_at=8b3a6b
    credential_id=69996a friendly_name=82c4f3 id=21a73a last_used_at=52e079 public_key=2fb621 sign_count=f7524e transports=9a6df5
    updated_at=3c558c user_id=a2f806
`,
  comment: `
  auth.audit_log_entries: ""=879a08
  auth.email(): ""=4aaa86
  auth.flow_state: ""=7e842a,a55328
  auth.identities: ""=277dac email=045d1e identities_email_idx=857920
  auth.instances: ""=43a600
  auth.mfa_amr_claims: ""=2b5ecd
  auth.mfa_challenges: ""=89f068
  auth.mfa_factors: ""=809898 last_webauthn_challenge_data=7b2025
  auth.oauth_client_states: ""=b315ad
  auth.refresh_tokens: ""=5472c0
  auth.role(): ""=0be1b4
  auth.saml_providers: ""=cc1683
  auth.saml_relay_states: ""=ab8f22
  auth.schema_migrations: ""=1452e7
  auth.sessions: ""=806f2e not_after=596d2a refresh_token_counter=a4bd0e refresh_token_hmac_key=375055
  auth.sso_domains: ""=33a10d
  auth.sso_providers: ""=b70217 resource_id=0333f5
  auth.sso_sessions: -""=effa93
  auth.uid(): ""=e72e04
  auth.users: ""=b9e3a7 is_sso_user=23d196 users_email_partial_key=1ac10a
`,
  constraint: `
  auth.audit_log_entries: audit_log_entries_pkey=650835
  auth.custom_oauth_providers: custom_oauth_providers_authorization_url_https=51869a
    custom_oauth_providers_authorization_url_length=e81162 custom_oauth_providers_client_id_length=9abc3b
    custom_oauth_providers_discovery_url_length=cd594d custom_oauth_providers_identifier_format=22818e
    custom_oauth_providers_identifier_key=339e3b custom_oauth_providers_issuer_length=098274 custom_oauth_providers_jwks_uri_https=3b53ec
    custom_oauth_providers_jwks_uri_length=fe16b9 custom_oauth_providers_name_length=2450ab
    custom_oauth_providers_oauth2_requires_endpoints=3f2216 custom_oauth_providers_oidc_discovery_url_https=e16157
    custom_oauth_providers_oidc_issuer_https=1f21f5 custom_oauth_providers_oidc_requires_issuer=9e90bd custom_oauth_providers_pkey=9637b5
    custom_oauth_providers_provider_type_check=cce006 custom_oauth_providers_token_url_https=0748d1
    custom_oauth_providers_token_url_length=5e60f1 custom_oauth_providers_userinfo_url_https=af47dd
    custom_oauth_providers_userinfo_url_length=9e96c7
  auth.flow_state: flow_state_pkey=7cf712
  auth.identities: identities_pkey=78101d,eb06ed identities_provider_id_provider_unique=5e9284 identities_user_id_fkey=41eba9
  auth.instances: instances_pkey=b32730
  auth.mfa_amr_claims: amr_id_pk=ef9594 mfa_amr_claims_session_id_authentication_method_pkey=c727f8 mfa_amr_claims_session_id_fkey=ec34b4
  auth.mfa_challenges: mfa_challenges_auth_factor_id_fkey=24ff3e mfa_challenges_pkey=d80ff5
  auth.mfa_factors: mfa_factors_last_challenged_at_key=172787 -mfa_factors_phone_key=26a7ab mfa_factors_pkey=9c0764
    mfa_factors_user_id_fkey=4ee7bb
  auth.oauth_authorizations: oauth_authorizations_authorization_code_key=2bbc02 oauth_authorizations_authorization_code_length=3f0973
    oauth_authorizations_authorization_id_key=6cd85e oauth_authorizations_client_id_fkey=186665
    oauth_authorizations_code_challenge_length=71e938 oauth_authorizations_expires_at_future=a77998
    oauth_authorizations_nonce_length=5c80ec oauth_authorizations_pkey=fcd8bc oauth_authorizations_redirect_uri_length=8d6ae7
    oauth_authorizations_resource_length=81c2ec oauth_authorizations_scope_length=edfc18 oauth_authorizations_state_length=d8595b
    oauth_authorizations_user_id_fkey=58917f
  auth.oauth_client_states: oauth_client_states_pkey=efc408
  auth.oauth_clients: -oauth_clients_client_id_key=b23036 oauth_clients_client_name_length=9e2ae3 oauth_clients_client_uri_length=c3ddbb
    oauth_clients_logo_uri_length=6ed183 oauth_clients_pkey=f3603f oauth_clients_token_endpoint_auth_method_check=29a3c7
  auth.oauth_consents: oauth_consents_client_id_fkey=91b928 oauth_consents_pkey=5ff7e7 oauth_consents_revoked_after_granted=d33435
    oauth_consents_scopes_length=b6ff7e oauth_consents_scopes_not_empty=ad0afa oauth_consents_user_client_unique=3e2550
    oauth_consents_user_id_fkey=f31b51
  auth.one_time_tokens: one_time_tokens_pkey=e22d26 one_time_tokens_token_hash_check=ca225b one_time_tokens_user_id_fkey=c7121d
  auth.refresh_tokens: -refresh_tokens_parent_fkey=6d58f3 refresh_tokens_pkey=05aaf3 refresh_tokens_session_id_fkey=ea7dfc
    refresh_tokens_token_unique=9f5d58
  auth.saml_providers: "entity_id not empty"=efcdc7 "metadata_url not empty"=8aa148 "metadata_xml not empty"=4bbaf3
    saml_providers_entity_id_key=ecb4e1 saml_providers_pkey=9ea6b6 saml_providers_sso_provider_id_fkey=41b4f1
  auth.saml_relay_states: "request_id not empty"=b2641d saml_relay_states_flow_state_id_fkey=2c3cfb saml_relay_states_pkey=c37c56
    saml_relay_states_sso_provider_id_fkey=bdde1f
  auth.schema_migrations: schema_migrations_pkey=aa20e3
  auth.sessions: sessions_oauth_client_id_fkey=3e6807 sessions_pkey=bbe047 sessions_scopes_length=c45ae8 sessions_user_id_fkey=f484e4
  auth.sso_domains: "domain not empty"=bf7fd9 sso_domains_pkey=c3dc98 sso_domains_sso_provider_id_fkey=0a7b5d
  auth.sso_providers: "resource_id not empty"=602c15 sso_providers_pkey=42dede
  auth.sso_sessions: -sso_sessions_pkey=8ee7f7 -sso_sessions_session_id_fkey=167779 -sso_sessions_sso_provider_id_fkey=782074
  auth.users: users_email_change_confirm_status_check=2cd779 -users_email_key=c89638 users_phone_key=75b30d users_pkey=3cbd19
  auth.webauthn_challenges: webauthn_challenges_challenge_type_check=6652fe webauthn_challenges_pkey=fe07c8
    webauthn_challenges_user_id_fkey=c4fa2b
  auth.webauthn_credentials: webauthn_credentials_pkey=3f8b4d webauthn_credentials_user_id_fkey=185044
`,
  function: `
  auth.email(): ""=28c035,696417,fbbadf
  auth.jwt(): ""=7ce3ad
  auth.role(): ""=1c9451,c96a93,d9bdaa
  auth.uid(): ""=645d36,7c1ff2,b669be,c9da45
`,
  index: `
  auth.audit_log_entries: audit_logs_instance_id_idx=0309ff
  auth.custom_oauth_providers: custom_oauth_providers_created_at_idx=d1c408 custom_oauth_providers_enabled_idx=52b0f6
    custom_oauth_providers_identifier_idx=b1f829 custom_oauth_providers_provider_type_idx=093f23
  auth.flow_state: flow_state_created_at_idx=f9d73c idx_auth_code=25f4e5 idx_user_id_auth_method=9bd666
  auth.identities: identities_email_idx=4dd431 identities_user_id_idx=188d14
  auth.mfa_challenges: mfa_challenge_created_at_idx=6eb409
  auth.mfa_factors: factor_id_created_at_idx=199975 mfa_factors_user_friendly_name_unique=6f5c03 mfa_factors_user_id_idx=82dd15
    unique_phone_factor_per_user=b24f37 -unique_verified_phone_factor=577172
  auth.oauth_authorizations: oauth_auth_pending_exp_idx=1b31f9
  auth.oauth_client_states: idx_oauth_client_states_created_at=c75b36
  auth.oauth_clients: -oauth_clients_client_id_idx=4bc957 oauth_clients_deleted_at_idx=7c2c7c
  auth.oauth_consents: oauth_consents_active_client_idx=1c2154 oauth_consents_active_user_client_idx=644137
    oauth_consents_user_order_idx=7891d4
  auth.one_time_tokens: one_time_tokens_relates_to_hash_idx=0f86a9 one_time_tokens_token_hash_hash_idx=c074c4
    one_time_tokens_user_id_token_type_key=2a6753
  auth.refresh_tokens: refresh_tokens_instance_id_idx=bfd14b refresh_tokens_instance_id_user_id_idx=759b53
    refresh_tokens_parent_idx=a5165e refresh_tokens_session_id_revoked_idx=b142eb -refresh_tokens_token_idx=0684be
    refresh_tokens_updated_at_idx=9a5e54
  auth.saml_providers: saml_providers_sso_provider_id_idx=b9b7fa
  auth.saml_relay_states: saml_relay_states_created_at_idx=7f67d6 saml_relay_states_for_email_idx=712439
    saml_relay_states_sso_provider_id_idx=aa7c3f
  auth.sessions: sessions_not_after_idx=fd14f9 sessions_oauth_client_id_idx=688658 sessions_user_id_idx=31c696
    user_id_created_at_idx=dd715b
  auth.sso_domains: sso_domains_domain_idx=0ab13d sso_domains_sso_provider_id_idx=b8c088
  auth.sso_providers: sso_providers_resource_id_idx=9b52df sso_providers_resource_id_pattern_idx=b064ee
  auth.sso_sessions: -sso_sessions_session_id_idx=6801b9 -sso_sessions_sso_provider_id_idx=b347d5
  auth.users: confirmation_token_idx=31cdc2 email_change_token_current_idx=d5c713 email_change_token_new_idx=90e75b
    reauthentication_token_idx=f7a093 recovery_token_idx=7cee01 users_email_partial_key=2986ef users_instance_id_email_idx=79668d,fa3818
    users_instance_id_idx=997c2b users_is_anonymous_idx=cf4042
  auth.webauthn_challenges: webauthn_challenges_expires_at_idx=4a17ae webauthn_challenges_user_id_idx=31a187
  auth.webauthn_credentials: webauthn_credentials_credential_id_key=54f2b9 webauthn_credentials_user_id_idx=ed30fc
`,
  privilege: `
  auth.email(): EXECUTE/PUBLIC
  auth.jwt(): EXECUTE/PUBLIC
  auth.role(): EXECUTE/PUBLIC
  auth.uid(): EXECUTE/PUBLIC
`,
  setting: `
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
`,
  type: `
  auth.aal_level: ""=813d72
  auth.code_challenge_method: ""=1cf9d7
  auth.factor_status: ""=58c837
  auth.factor_type: ""=00fb31,35986c
  auth.oauth_authorization_status: ""=63d31d
  auth.oauth_client_type: ""=9f97db
  auth.oauth_registration_type: ""=ace5c1
  auth.oauth_response_type: ""=8ca9b6
  auth.one_time_token_type: ""=04fb95
`,
};
