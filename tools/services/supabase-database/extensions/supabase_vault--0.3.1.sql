CREATE TABLE vault.secrets (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name text,
  description text NOT NULL DEFAULT '',
  secret text NOT NULL,
  key_id uuid,
  nonce bytea,
  created_at timestamptz NOT NULL DEFAULT current_timestamp,
  updated_at timestamptz NOT NULL DEFAULT current_timestamp
);
CREATE UNIQUE INDEX secrets_name ON vault.secrets (name) WHERE name IS NOT NULL;
SELECT pg_extension_config_dump('vault.secrets', '');
-- The real one encrypts with the server's root key. Here an encoding stands for it, so that a test can tell the two apart.
CREATE FUNCTION vault._crypto_aead_det_decrypt(message text) RETURNS text LANGUAGE sql IMMUTABLE
  AS $$ SELECT convert_from(decode(message, 'base64'), 'UTF8') $$;
CREATE VIEW vault.decrypted_secrets AS
  SELECT id, name, description, secret, vault._crypto_aead_det_decrypt(secret) AS decrypted_secret, created_at, updated_at FROM vault.secrets;
CREATE FUNCTION vault.create_secret(new_secret text, new_name text DEFAULT NULL, new_description text DEFAULT '') RETURNS uuid
  LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
  INSERT INTO vault.secrets (secret, name, description)
  VALUES (encode(convert_to(new_secret, 'UTF8'), 'base64'), new_name, new_description) RETURNING id
$$;
REVOKE ALL ON FUNCTION vault.create_secret, vault._crypto_aead_det_decrypt FROM PUBLIC;
