-- Storage as supabase/storage makes it at commit 4fa61fb (2026-08-21), vector and analytics buckets included. Before each
-- table stand the files of its migrations/tenant/ (*.sql) that made and changed it. Functions are as there.

-- supabase/postgres: migrations/db/init-scripts/00000000000002-storage-schema.sql,
-- migrations/db/migrations/20250709135250_grant_storage_schema_to_postgres_with_grant_option.sql
CREATE SCHEMA storage AUTHORIZATION supabase_admin;
GRANT ALL ON SCHEMA storage TO supabase_storage_admin;
GRANT USAGE ON SCHEMA storage TO anon, authenticated, service_role;
GRANT USAGE ON SCHEMA storage TO postgres WITH GRANT OPTION;
GRANT ALL ON SCHEMA storage TO dashboard_user;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA storage GRANT ALL ON TABLES TO postgres, anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES FOR ROLE supabase_storage_admin IN SCHEMA storage
  GRANT ALL ON TABLES TO postgres, anon, authenticated, service_role;

SET ROLE supabase_storage_admin;

CREATE TYPE storage.buckettype AS ENUM ('STANDARD', 'ANALYTICS', 'VECTOR');

-- 0002-storage-schema, 0004-add-migrations-rls
CREATE TABLE storage.migrations (
  id integer PRIMARY KEY, name varchar(100) NOT NULL UNIQUE, hash varchar(40) NOT NULL,
  executed_at timestamp DEFAULT CURRENT_TIMESTAMP
);

-- 0002-storage-schema, 0007-add-rls-to-buckets, 0008-add-public-to-buckets, 0012-add-automatic-avif-detection-flag,
-- 0013-add-bucket-custom-limits, 0014-use-bytes-for-max-size, 0018-add_owner_id_column_deprecate_owner,
-- 0037-add-bucket-name-length-trigger, 0038-iceberg-catalog-flag-on-buckets, 0046-buckets-objects-grants,
-- 0055-prevent-direct-deletes, 0062-object-versioning-core
CREATE TABLE storage.buckets (
  id text PRIMARY KEY, name text NOT NULL, owner uuid, created_at timestamptz DEFAULT now(),
  updated_at timestamptz DEFAULT now(), public boolean DEFAULT false, avif_autodetection boolean DEFAULT false,
  file_size_limit bigint, allowed_mime_types text[], owner_id text,
  type storage.buckettype DEFAULT 'STANDARD' NOT NULL, versioning_status text DEFAULT 'DISABLED' NOT NULL,
  CONSTRAINT buckets_versioning_dark_check CHECK (versioning_status = 'DISABLED'),
  CONSTRAINT buckets_versioning_standard_only_check CHECK ((type = 'STANDARD') OR (versioning_status = 'DISABLED')),
  CONSTRAINT buckets_versioning_status_check CHECK (versioning_status IN ('DISABLED', 'ENABLED', 'SUSPENDED'))
);
CREATE UNIQUE INDEX bname ON storage.buckets (name);
COMMENT ON COLUMN storage.buckets.owner IS 'Field is deprecated, use owner_id instead';

-- 0002-storage-schema, 0003-pathtoken-column, 0011-add-trigger-to-auto-update-updated_at-column, 0016-add-version,
-- 0018-add_owner_id_column_deprecate_owner, 0020-list-objects-with-delimiter, 0025-custom-metadata,
-- 0046-buckets-objects-grants, 0051-index-backward-compatible-search, 0055-prevent-direct-deletes,
-- 0062-object-versioning-core
CREATE TABLE storage.objects (
  id uuid DEFAULT gen_random_uuid() PRIMARY KEY, bucket_id text CONSTRAINT "objects_bucketId_fkey" REFERENCES storage.buckets,
  name text, owner uuid, created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now(),
  last_accessed_at timestamptz DEFAULT now(), metadata jsonb,
  path_tokens text[] GENERATED ALWAYS AS (string_to_array(name, '/')) STORED, version text, owner_id text,
  user_metadata jsonb, archived_at timestamptz, is_delete_marker boolean DEFAULT false NOT NULL,
  is_versioned boolean DEFAULT false NOT NULL
);
CREATE UNIQUE INDEX bucketid_objname ON storage.objects (bucket_id, name);
CREATE INDEX name_prefix_search ON storage.objects (name text_pattern_ops);
CREATE INDEX idx_objects_bucket_id_name ON storage.objects (bucket_id, name COLLATE "C");
CREATE INDEX idx_objects_bucket_id_name_lower ON storage.objects (bucket_id, lower(name) COLLATE "C");
COMMENT ON COLUMN storage.objects.owner IS 'Field is deprecated, use owner_id instead';

-- 0021-s3-multipart-uploads, 0022-s3-multipart-uploads-big-ints, 0025-custom-metadata, 0057-s3-multipart-uploads-metadata
CREATE TABLE storage.s3_multipart_uploads (
  id text PRIMARY KEY, in_progress_size bigint DEFAULT 0 NOT NULL, upload_signature text NOT NULL,
  bucket_id text NOT NULL REFERENCES storage.buckets, key text COLLATE "C" NOT NULL, version text NOT NULL, owner_id text,
  created_at timestamptz DEFAULT now() NOT NULL, user_metadata jsonb, metadata jsonb
);
CREATE INDEX idx_multipart_uploads_list ON storage.s3_multipart_uploads (bucket_id, key, created_at);

-- 0021-s3-multipart-uploads, 0022-s3-multipart-uploads-big-ints
CREATE TABLE storage.s3_multipart_uploads_parts (
  id uuid DEFAULT gen_random_uuid() PRIMARY KEY,
  upload_id text NOT NULL REFERENCES storage.s3_multipart_uploads ON DELETE CASCADE, size bigint DEFAULT 0 NOT NULL,
  part_number integer NOT NULL, bucket_id text NOT NULL REFERENCES storage.buckets, key text COLLATE "C" NOT NULL,
  etag text NOT NULL, owner_id text, version text NOT NULL, created_at timestamptz DEFAULT now() NOT NULL
);

-- 0038-iceberg-catalog-flag-on-buckets, 0048-iceberg-catalog-ids
CREATE TABLE storage.buckets_analytics (
  name text NOT NULL, type storage.buckettype DEFAULT 'ANALYTICS' NOT NULL,
  format text DEFAULT 'ICEBERG' NOT NULL, created_at timestamptz DEFAULT now() NOT NULL,
  updated_at timestamptz DEFAULT now() NOT NULL, id uuid DEFAULT gen_random_uuid() PRIMARY KEY, deleted_at timestamptz
);
CREATE UNIQUE INDEX buckets_analytics_unique_name_idx ON storage.buckets_analytics (name) WHERE (deleted_at IS NULL);

-- 0038-iceberg-catalog-flag-on-buckets, 0047-iceberg-table-metadata, 0048-iceberg-catalog-ids
CREATE TABLE storage.iceberg_namespaces (
  id uuid DEFAULT gen_random_uuid() PRIMARY KEY, bucket_name text NOT NULL, name text COLLATE "C" NOT NULL,
  created_at timestamptz DEFAULT now() NOT NULL, updated_at timestamptz DEFAULT now() NOT NULL,
  metadata jsonb DEFAULT '{}' NOT NULL, catalog_id uuid NOT NULL REFERENCES storage.buckets_analytics ON DELETE CASCADE
);
CREATE UNIQUE INDEX idx_iceberg_namespaces_bucket_id ON storage.iceberg_namespaces (catalog_id, name);

-- 0038-iceberg-catalog-flag-on-buckets, 0047-iceberg-table-metadata, 0048-iceberg-catalog-ids
CREATE TABLE storage.iceberg_tables (
  id uuid DEFAULT gen_random_uuid() PRIMARY KEY,
  namespace_id uuid NOT NULL REFERENCES storage.iceberg_namespaces ON DELETE CASCADE, bucket_name text NOT NULL,
  name text COLLATE "C" NOT NULL, location text NOT NULL, created_at timestamptz DEFAULT now() NOT NULL,
  updated_at timestamptz DEFAULT now() NOT NULL, remote_table_id text, shard_key text, shard_id text,
  catalog_id uuid NOT NULL REFERENCES storage.buckets_analytics ON DELETE CASCADE
);
CREATE UNIQUE INDEX idx_iceberg_tables_namespace_id ON storage.iceberg_tables (catalog_id, namespace_id, name);
CREATE UNIQUE INDEX idx_iceberg_tables_location ON storage.iceberg_tables (location);

-- 0045-vector-buckets
CREATE TABLE storage.buckets_vectors (
  id text PRIMARY KEY, type storage.buckettype DEFAULT 'VECTOR' NOT NULL,
  created_at timestamptz DEFAULT now() NOT NULL, updated_at timestamptz DEFAULT now() NOT NULL
);

-- 0045-vector-buckets
CREATE TABLE storage.vector_indexes (
  id text DEFAULT gen_random_uuid() PRIMARY KEY, name text COLLATE "C" NOT NULL,
  bucket_id text NOT NULL REFERENCES storage.buckets_vectors, data_type text NOT NULL, dimension integer NOT NULL,
  distance_metric text NOT NULL, metadata_configuration jsonb, created_at timestamptz DEFAULT now() NOT NULL,
  updated_at timestamptz DEFAULT now() NOT NULL
);
CREATE UNIQUE INDEX vector_indexes_name_bucket_id_idx ON storage.vector_indexes (name, bucket_id);

ALTER TABLE storage.migrations ENABLE ROW LEVEL SECURITY;
ALTER TABLE storage.buckets ENABLE ROW LEVEL SECURITY;
ALTER TABLE storage.objects ENABLE ROW LEVEL SECURITY;
ALTER TABLE storage.s3_multipart_uploads ENABLE ROW LEVEL SECURITY;
ALTER TABLE storage.s3_multipart_uploads_parts ENABLE ROW LEVEL SECURITY;
ALTER TABLE storage.buckets_analytics ENABLE ROW LEVEL SECURITY;
ALTER TABLE storage.iceberg_namespaces ENABLE ROW LEVEL SECURITY;
ALTER TABLE storage.iceberg_tables ENABLE ROW LEVEL SECURITY;
ALTER TABLE storage.buckets_vectors ENABLE ROW LEVEL SECURITY;
ALTER TABLE storage.vector_indexes ENABLE ROW LEVEL SECURITY;

-- 0002-storage-schema, 0061-mark-filename-immutable
CREATE FUNCTION storage.foldername(name text) RETURNS text[] LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    _parts text[];
BEGIN
    -- Split on "/" to get path segments
    SELECT string_to_array(name, '/') INTO _parts;
    -- Return everything except the last segment
    RETURN _parts[1 : array_length(_parts,1) - 1];
END
$$;
-- 0011-add-trigger-to-auto-update-updated_at-column
CREATE FUNCTION storage.update_updated_at_column() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at = now();
    RETURN NEW; 
END;
$$;
CREATE TRIGGER update_objects_updated_at BEFORE UPDATE ON storage.objects
  FOR EACH ROW EXECUTE FUNCTION storage.update_updated_at_column();
-- 0037-add-bucket-name-length-trigger
CREATE FUNCTION storage.enforce_bucket_name_length() RETURNS trigger LANGUAGE plpgsql AS $$
begin
    if length(new.name) > 100 then
        raise exception 'bucket name "%" is too long (% characters). Max is 100.', new.name, length(new.name);
    end if;
    return new;
end;
$$;
CREATE TRIGGER enforce_bucket_name_length_trigger BEFORE INSERT OR UPDATE OF name ON storage.buckets
  FOR EACH ROW EXECUTE FUNCTION storage.enforce_bucket_name_length();
-- 0055-prevent-direct-deletes
CREATE FUNCTION storage.protect_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Check if storage.allow_delete_query is set to 'true'
    IF COALESCE(current_setting('storage.allow_delete_query', true), 'false') != 'true' THEN
        RAISE EXCEPTION 'Direct deletion from storage tables is not allowed. Use the Storage API instead.'
            USING HINT = 'This prevents accidental data loss from orphaned objects.',
                  ERRCODE = '42501';
    END IF;
    RETURN NULL;
END;
$$;
CREATE TRIGGER protect_buckets_delete BEFORE DELETE ON storage.buckets FOR EACH STATEMENT
  EXECUTE FUNCTION storage.protect_delete();
CREATE TRIGGER protect_objects_delete BEFORE DELETE ON storage.objects FOR EACH STATEMENT
  EXECUTE FUNCTION storage.protect_delete();
-- Of no migration: a restore must copy rows as they are, without what such triggers make of an insert.
CREATE FUNCTION storage.stamp_new_object() RETURNS trigger LANGUAGE plpgsql
  AS $$ BEGIN NEW.last_accessed_at = now(); RETURN NEW; END $$;
CREATE TRIGGER objects_stamp BEFORE INSERT ON storage.objects FOR EACH ROW EXECUTE FUNCTION storage.stamp_new_object();

-- 0021-s3-multipart-uploads
REVOKE ALL ON storage.s3_multipart_uploads, storage.s3_multipart_uploads_parts FROM anon, authenticated;
GRANT SELECT ON storage.s3_multipart_uploads, storage.s3_multipart_uploads_parts TO anon, authenticated;
-- 0046-buckets-objects-grants, 0049-buckets-objects-grants-postgres
GRANT ALL ON storage.buckets, storage.objects TO anon, authenticated, service_role;
GRANT ALL ON storage.buckets, storage.objects TO postgres WITH GRANT OPTION;
INSERT INTO storage.migrations VALUES (0, 'create-migrations-table', 'e18db593bcde2aca2a408c4d1100f6abba2195df');
RESET ROLE;

-- 0045-vector-buckets, 0038-iceberg-catalog-flag-on-buckets: the roles may read them, and service_role may write the latter two. Nor are they on the list of
-- supautils.policy_grants (see auth.sql).
DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY '{buckets_vectors,vector_indexes,iceberg_namespaces,iceberg_tables}'::text[] LOOP
    EXECUTE format('REVOKE ALL ON storage.%I FROM postgres, anon, authenticated, service_role', name);
    EXECUTE format('ALTER TABLE storage.%I OWNER TO supabase_admin', name);
    EXECUTE format('GRANT ALL ON storage.%I TO supabase_storage_admin', name);
    EXECUTE format('GRANT SELECT ON storage.%I TO postgres, anon, authenticated, service_role', name);
  END LOOP;
  GRANT ALL ON storage.iceberg_namespaces, storage.iceberg_tables TO service_role;
END $$;
