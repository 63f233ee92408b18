/*
 * Names that PostgreSQL documents for what a database's catalogue keeps as lists. A server may keep values of its own in the same
 * lists: since 15.20 every changed column has a `pg_attver` that pg_dump leaves out. So a comparison of two databases takes the
 * names below and nothing else.
 */

/** The words of a text. */
export function wordsOf(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}

/** Storage parameters of tables, materialised views and TOAST tables, and options of views. PostgreSQL 18: CREATE TABLE, CREATE VIEW. */
export const RELATION_OPTIONS: readonly string[] = wordsOf(`
  fillfactor toast_tuple_target parallel_workers autovacuum_enabled vacuum_index_cleanup vacuum_truncate
  vacuum_max_eager_freeze_failure_rate autovacuum_vacuum_threshold autovacuum_vacuum_max_threshold
  autovacuum_vacuum_scale_factor autovacuum_vacuum_insert_threshold autovacuum_vacuum_insert_scale_factor
  autovacuum_analyze_threshold autovacuum_analyze_scale_factor autovacuum_vacuum_cost_delay
  autovacuum_vacuum_cost_limit autovacuum_freeze_min_age autovacuum_freeze_max_age autovacuum_freeze_table_age
  autovacuum_multixact_freeze_min_age autovacuum_multixact_freeze_max_age autovacuum_multixact_freeze_table_age
  log_autovacuum_min_duration user_catalog_table check_option security_barrier security_invoker
`);

/** Attribute options of a column. PostgreSQL 18: ALTER TABLE … ALTER COLUMN … SET. */
export const COLUMN_OPTIONS: readonly string[] = ["n_distinct", "n_distinct_inherited"];

/** Storage parameters of the indexes that come with PostgreSQL. PostgreSQL 18: CREATE INDEX. */
export const INDEX_OPTIONS: readonly string[] = wordsOf(`
  fillfactor deduplicate_items buffering fastupdate gin_pending_list_limit pages_per_range autosummarize
`);

/** Parameters of the operator classes of PostgreSQL and its own extensions. PostgreSQL 18: BRIN, full text search, appendix F. */
export const OPERATOR_CLASS_OPTIONS: readonly string[] = wordsOf(`
  siglen numranges values_per_range n_distinct_per_range false_positive_rate
`);

/** Privileges that every supported version knows. PostgreSQL 18: GRANT, without MAINTAIN, which is new in 17. */
export const PRIVILEGES: readonly string[] = [
  ...wordsOf("SELECT INSERT UPDATE DELETE TRUNCATE REFERENCES TRIGGER CREATE CONNECT TEMPORARY EXECUTE USAGE SET"),
  "ALTER SYSTEM",
];
