import type { PlatformTexts } from "../table-definitions.ts";

/** What the migrations of supabase/storage (4fa61fba, 2026-08-21) make. `tools/platform-definitions.ts` writes this file. */
export const STORAGE: PlatformTexts = {
  version: "supabase/storage (4fa61fba, 2026-08-21)",
  column: `
  storage.buckets: allowed_mime_types=cbe478 avif_autodetection=8e22b7 created_at=8f2617 file_size_limit=094d02 id=417dc8
    -max_file_size_kb=ffeeae name=18ef5b owner=62ed8b owner_id=e05fc1 public=a10554 type=60316f updated_at=f84abd
    versioning_status=373498
  storage.buckets_analytics: created_at=5de095 deleted_at=817268 format=c854fc id=312ee2,c1aec2 name=796187 type=469256 updated_at=f9207f
  storage.buckets_vectors: created_at=3f2ed3 id=fc1cf2 type=bb2e49 updated_at=267f73
  storage.iceberg_namespaces: -bucket_id=dbe1c6 bucket_name=77dc24 catalog_id=13ffec created_at=94f12d id=75cfee metadata=3d2425
    name=97643c updated_at=da1d12
  storage.iceberg_tables: -bucket_id=64e410 bucket_name=41755e catalog_id=7a1162 created_at=d9b13e id=7cb48a location=d68b7e name=0e59e1
    namespace_id=059c45 remote_table_id=952f0d shard_id=d009d8 shard_key=0e2366 updated_at=683573
  storage.migrations: executed_at=68320c hash=32ca7a id=68bd98 name=ed3f4e
  storage.objects: archived_at=2323d4 bucket_id=4f585f created_at=923238 id=310ff8,b369e1 is_delete_marker=0eb44f is_versioned=8a8168
    last_accessed_at=569620 -level=b1a413 metadata=480601 name=8d459f owner=55a507 owner_id=8027e2 path_tokens=b0fc70 updated_at=b24253
    user_metadata=d41965 version=e0e2b4
  storage.prefixes: -bucket_id=9dda42 -created_at=202ae0 -level=509a26 -name=9c29aa -updated_at=7f3655
  storage.s3_multipart_uploads: bucket_id=521eef created_at=ab7635 id=654d96 in_progress_size=3a2128,bf1009 key=362d8b metadata=9028ce
    owner_id=45aa15 upload_signature=e95c23 user_metadata=e4762d version=0a04bc
  storage.s3_multipart_uploads_parts: bucket_id=d85045 created_at=f7fcc6 etag=471114 id=9373be key=9a8401 owner_id=ed4b9a
    part_number=cb1d74 size=92d8f6,e6180d upload_id=f63ec7 version=1ebb83
  storage.vector_indexes: bucket_id=b3dddc created_at=c85832 data_type=12f9d4 dimension=dd8090 distance_metric=c8514e id=9366aa
    metadata_configuration=77b4b6 name=a872d9 updated_at=3cd107
`,
  comment: `
  storage.buckets: owner=810ee6
  storage.objects: owner=5b3c45
`,
  constraint: `
  storage.buckets: -buckets_owner_fkey=764f8b buckets_pkey=96d85a buckets_versioning_dark_check=dde2e2
    buckets_versioning_standard_only_check=309557 buckets_versioning_status_check=293016
  storage.buckets_analytics: buckets_analytics_pkey=73e141
  storage.buckets_vectors: buckets_vectors_pkey=4a311d
  storage.iceberg_namespaces: -iceberg_namespaces_bucket_id_fkey=88bbbb iceberg_namespaces_catalog_id_fkey=93449d
    iceberg_namespaces_pkey=528e81
  storage.iceberg_tables: -iceberg_tables_bucket_id_fkey=baf4ad iceberg_tables_catalog_id_fkey=66a25e
    iceberg_tables_namespace_id_fkey=3b9df1 iceberg_tables_pkey=0298b0
  storage.migrations: migrations_name_key=c54afa migrations_pkey=a66040
  storage.objects: objects_bucketId_fkey=1a420b -objects_owner_fkey=1ea1f1 objects_pkey=9a8f96
  storage.prefixes: -prefixes_bucketId_fkey=fd5421 -prefixes_pkey=ee010f
  storage.s3_multipart_uploads: s3_multipart_uploads_bucket_id_fkey=38790d s3_multipart_uploads_pkey=d070eb
  storage.s3_multipart_uploads_parts: s3_multipart_uploads_parts_bucket_id_fkey=7f7214 s3_multipart_uploads_parts_pkey=320466
    s3_multipart_uploads_parts_upload_id_fkey=3c763a
  storage.vector_indexes: vector_indexes_bucket_id_fkey=e7a5c9 vector_indexes_pkey=8793ab
`,
  function: `
  storage.add_prefixes(text,text): -""=0568b7
  storage.allow_any_operation(text[]): ""=a4ae3c
  storage.allow_only_operation(text): ""=a12f88
  storage.can_insert_object(text,text,uuid,jsonb): ""=d6a146
  storage.delete_leaf_prefixes(text[],text[]): -""=a01089,d40a93
  storage.delete_prefix(text,text): -""=35dd0f
  storage.delete_prefix_hierarchy_trigger(): -""=0f897a
  storage.enforce_bucket_name_length(): ""=bf9dcf
  storage.extension(text): ""=663d95,839c08,ebad1a,ec93b9
  storage.filename(text): ""=6616e7,af67e2,d7fce6
  storage.foldername(text): ""=42214c,9e38a5,a673a0
  storage.get_common_prefix(text,text,text): ""=876b12
  storage.get_level(text): -""=502715
  storage.get_prefix(text): -""=155f9e
  storage.get_prefixes(text): -""=ea5086
  storage.get_size_by_bucket(): ""=07279a,11733c,168d83,81d2f4
  storage.list_multipart_uploads_with_delimiter(text,text,text,integer,text,text): ""=2fe210
  storage.list_objects_with_delimiter(text,text,text,integer,text,text): -""=d70932
  storage.list_objects_with_delimiter(text,text,text,integer,text,text,text): ""=535002
  storage.lock_top_prefixes(text[],text[]): -""=12b746
  storage.objects_delete_cleanup(): -""=1e7117
  storage.objects_insert_prefix_trigger(): -""=65229e
  storage.objects_update_cleanup(): -""=0a9dfd
  storage.objects_update_level_trigger(): -""=63e02e
  storage.objects_update_prefix_trigger(): -""=c67b22
  storage.operation(): ""=45b3c2
  storage.prefixes_delete_cleanup(): -""=8281c0
  storage.prefixes_insert_trigger(): -""=e21bfa
  storage.protect_delete(): ""=60b634
  storage.search(text,text,integer,integer,integer): -""=11c6a8,4ec1a0,6edfc7,f0b562
  storage.search(text,text,integer,integer,integer,text,text,text): ""=036b42,1cbee2,308d3f,aca024,da1b88,ec649f,f2a54b
  storage.search_by_timestamp(text,text,integer,integer,text,text,text,text): ""=2078ff
  storage.search_legacy_v1(text,text,integer,integer,integer,text,text,text): -""=dd4885
  storage.search_v1_optimised(text,text,integer,integer,integer,text,text,text): -""=5f17ca
  storage.search_v2(text,text,integer,integer,text): -""=0d34ed
  storage.search_v2(text,text,integer,integer,text,text,text,text): ""=34b950,a56e65
  storage.update_updated_at_column(): ""=5b3d8a
`,
  index: `
  storage.buckets: bname=2c506e
  storage.buckets_analytics: buckets_analytics_unique_name_idx=6ad548
  storage.iceberg_namespaces: idx_iceberg_namespaces_bucket_id=94759c,f21810
  storage.iceberg_tables: idx_iceberg_tables_location=9c0b75 idx_iceberg_tables_namespace_id=f5618c,fd5405
  storage.objects: bucketid_objname=97af4e -idx_name_bucket_level_unique=cdff23 idx_objects_bucket_id_name=bf649d
    idx_objects_bucket_id_name_lower=4817f9 -idx_objects_lower_name=f053cc name_prefix_search=4f1567 -objects_bucket_id_level_idx=2069d2
  storage.prefixes: -idx_prefixes_lower_name=d3eb40
  storage.s3_multipart_uploads: idx_multipart_uploads_list=67fb4d
  storage.vector_indexes: vector_indexes_name_bucket_id_idx=4f21dd
`,
  privilege: `
  storage.allow_any_operation(text[]): EXECUTE/PUBLIC
  storage.allow_only_operation(text): EXECUTE/PUBLIC
  storage.buckets: DELETE/anon DELETE/authenticated DELETE/service_role INSERT/anon INSERT/authenticated INSERT/service_role SELECT/anon
    SELECT/authenticated SELECT/service_role UPDATE/anon UPDATE/authenticated UPDATE/service_role
  storage.buckets_analytics: DELETE/anon DELETE/authenticated DELETE/service_role INSERT/anon INSERT/authenticated INSERT/service_role
    SELECT/anon SELECT/authenticated SELECT/service_role UPDATE/anon UPDATE/authenticated UPDATE/service_role
  storage.buckets_vectors: SELECT/anon SELECT/authenticated SELECT/service_role
  storage.can_insert_object(text,text,uuid,jsonb): EXECUTE/PUBLIC
  storage.enforce_bucket_name_length(): EXECUTE/PUBLIC
  storage.extension(text): EXECUTE/PUBLIC
  storage.filename(text): EXECUTE/PUBLIC
  storage.foldername(text): EXECUTE/PUBLIC
  storage.get_common_prefix(text,text,text): EXECUTE/PUBLIC
  storage.get_size_by_bucket(): EXECUTE/PUBLIC
  storage.iceberg_namespaces: DELETE/service_role INSERT/service_role SELECT/anon SELECT/authenticated SELECT/service_role
    UPDATE/service_role
  storage.iceberg_tables: DELETE/service_role INSERT/service_role SELECT/anon SELECT/authenticated SELECT/service_role
    UPDATE/service_role
  storage.list_multipart_uploads_with_delimiter(text,text,text,integer,text,text): EXECUTE/PUBLIC
  storage.list_objects_with_delimiter(text,text,text,integer,text,text,text): EXECUTE/PUBLIC
  storage.objects: DELETE/anon DELETE/authenticated DELETE/service_role INSERT/anon INSERT/authenticated INSERT/service_role SELECT/anon
    SELECT/authenticated SELECT/service_role UPDATE/anon UPDATE/authenticated UPDATE/service_role
  storage.operation(): EXECUTE/PUBLIC
  storage.protect_delete(): EXECUTE/PUBLIC
  storage.s3_multipart_uploads: DELETE/service_role INSERT/service_role SELECT/anon SELECT/authenticated SELECT/service_role
    UPDATE/service_role
  storage.s3_multipart_uploads_parts: DELETE/service_role INSERT/service_role SELECT/anon SELECT/authenticated SELECT/service_role
    UPDATE/service_role
  storage.search(text,text,integer,integer,integer,text,text,text): EXECUTE/PUBLIC
  storage.search_by_timestamp(text,text,integer,integer,text,text,text,text): EXECUTE/PUBLIC
  storage.search_v2(text,text,integer,integer,text,text,text,text): EXECUTE/PUBLIC
  storage.update_updated_at_column(): EXECUTE/PUBLIC
  storage.vector_indexes: SELECT/anon SELECT/authenticated SELECT/service_role
`,
  setting: `
  storage.buckets: "row level security"
  storage.buckets_analytics: "row level security"
  storage.buckets_vectors: "row level security"
  storage.iceberg_namespaces: "row level security"
  storage.iceberg_tables: "row level security"
  storage.migrations: "row level security"
  storage.objects: "row level security"
  storage.prefixes: -"row level security"
  storage.s3_multipart_uploads: "row level security"
  storage.s3_multipart_uploads_parts: "row level security"
  storage.vector_indexes: "row level security"
`,
  trigger: `
  storage.buckets: enforce_bucket_name_length_trigger=580a7c protect_buckets_delete=9177b2
  storage.objects: -objects_delete_cleanup=e6d91d -objects_delete_delete_prefix=9771d4 -objects_insert_create_prefix=130536
    -objects_update_cleanup=55b6a6 -objects_update_create_prefix=6a3dbf,f34443 -objects_update_level_trigger=d5070f
    protect_objects_delete=b6dfbe update_objects_updated_at=95588c
  storage.prefixes: -prefixes_create_hierarchy=0a3d2b -prefixes_delete_cleanup=348c98 -prefixes_delete_hierarchy=a7cb66
`,
  type: `
  storage.buckettype: ""=4bb19a,d4731b
`,
};
