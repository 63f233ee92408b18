import { PRIVILEGES, RELATION_OPTIONS } from "../postgres/documented.ts";
import { IN_OWN_SCHEMA, notOfExtension, PLATFORM_PUBLICATIONS, PLATFORM_ROLES, sqlList } from "./platform.ts";

const IN_ALL_SCHEMAS = "nspname !~ '^(pg_|information_schema$)'";
const ownRelations = (kinds: string): string => `
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
    WHERE ${IN_OWN_SCHEMA} AND relkind IN (${kinds}) AND ${notOfExtension("pg_class", "c.oid")}`;
/** Types that were created as such, and not with a table, an array or a range. */
const MADE_TYPE = `(typtype IN ('d', 'e', 'r')
  OR typtype = 'c' AND EXISTS (SELECT FROM pg_class WHERE pg_class.oid = typrelid AND relkind = 'c'))`;

/** Kinds that say whose an object is and who may use it: a restore without owners and privileges has others. */
export const OF_OWNERSHIP: readonly string[] = ["owner of the", "access list of the", "default privilege"];

/** Kinds whose definitions the server writes, which one of another major version does in other words. */
export const IN_WORDS_OF_SERVER: readonly string[] = ["view", "body in SQL of the function"];

/** Objects with an owner: a word for what it is, its name, its owner, and its access list with that list's kind. */
const OWNED = `
  SELECT 'schema' AS word, quote_ident(nspname) AS name, nspname, nspowner AS owner, nspacl AS acl, 'n'::"char" AS list FROM pg_namespace
  UNION ALL SELECT CASE relkind WHEN 'S' THEN 'sequence' ELSE 'table' END, c.oid::regclass::text, nspname, relowner, relacl,
      (CASE relkind WHEN 'S' THEN 's' ELSE 'r' END)::"char"
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND ${notOfExtension("pg_class", "c.oid")}
  UNION ALL SELECT 'function', p.oid::regprocedure::text, nspname, proowner, proacl, 'f'
    FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = pronamespace WHERE ${notOfExtension("pg_proc", "p.oid")}
  UNION ALL SELECT 'type', t.oid::regtype::text, nspname, typowner, typacl, 'T'
    FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = typnamespace WHERE ${MADE_TYPE} AND ${notOfExtension("pg_type", "t.oid")}`;

/** The documented ones in the server's own form, `{fillfactor=70}`; nothing where there are none. */
const DOCUMENTED_OPTIONS = `(SELECT array_agg(o ORDER BY n) FROM unnest(reloptions) WITH ORDINALITY AS a (o, n)
          WHERE split_part(o, '=', 1) IN (${sqlList(RELATION_OPTIONS)}))`;

const privilegesOf = (acl: string, condition: string): string =>
  `(SELECT string_agg(concat_ws(' ', CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END, privilege_type, is_grantable), ', '
      ORDER BY grantee::regrole::text, privilege_type)
    FROM aclexplode(${acl}) WHERE ${condition} AND privilege_type IN (${sqlList(PRIVILEGES)}))`;

/**
 * Queries by kind, of `name`, `definition` and, where it is so, `ofPlatform`: each version of the platform has others. A definition is the same on every server that has the same, but for
 * {@link IN_WORDS_OF_SERVER}.
 *
 * @param comparedWith the major version of the server whose definitions these are compared with: before 17, partitions have no
 * identity of their own
 */
export function definitionQueries(serverMajor: number, comparedWith = serverMajor): Readonly<Record<string, string>> {
  return {
    schema: `SELECT quote_ident(nspname) AS name, '' AS definition FROM pg_namespace WHERE ${IN_OWN_SCHEMA}`,
    table: `
      SELECT c.oid::regclass::text AS name, concat_ws(' | ', relkind, relpersistence, relrowsecurity, relforcerowsecurity, ${DOCUMENTED_OPTIONS},
        (SELECT md5(string_agg(attname, ',' ORDER BY attnum)) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped),
        (SELECT string_agg(inhparent::regclass::text, ', ' ORDER BY inhseqno) FROM pg_inherits WHERE inhrelid = c.oid),
        pg_get_expr(relpartbound, c.oid), CASE relkind WHEN 'p' THEN pg_get_partkeydef(c.oid) END) AS definition
      ${ownRelations("'r', 'p', 'v', 'm', 'f'")}`,
    column: `
      SELECT format('%s.%I', attrelid::regclass, attname) AS name, concat_ws(' ', format_type(atttypid, atttypmod), attnotnull,
        (SELECT 'COLLATE ' || collname FROM pg_collation AS l JOIN pg_type AS t ON t.oid = atttypid WHERE l.oid = attcollation AND attcollation <> typcollation),
        ${comparedWith < 17 && serverMajor >= 17 ? "CASE WHEN NOT (SELECT relispartition FROM pg_class WHERE oid = attrelid) THEN nullif(attidentity, '') END" : "nullif(attidentity, '')"}, nullif(attgenerated, ''), md5(pg_get_expr(adbin, adrelid))) AS definition
      FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
      WHERE attnum > 0 AND NOT attisdropped AND attrelid IN (SELECT c.oid ${ownRelations("'r', 'p', 'v', 'm', 'f'")})`,
    view: `SELECT c.oid::regclass::text AS name, md5(pg_get_viewdef(c.oid)) AS definition ${ownRelations("'v', 'm'")}`,
    sequence: `
      SELECT seqrelid::regclass::text AS name,
        concat_ws(' ', seqtypid::regtype, seqstart, seqincrement, seqmin, seqmax, seqcache, seqcycle) AS definition
      FROM pg_sequence WHERE seqrelid IN (SELECT c.oid ${ownRelations("'S'")})`,
    type: `
      SELECT t.oid::regtype::text AS name, concat_ws(' | ', typtype,
        (SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid),
        (SELECT string_agg(concat_ws(' ', quote_ident(attname), format_type(atttypid, atttypmod)), ', ' ORDER BY attnum)
         FROM pg_attribute WHERE attrelid = typrelid AND attnum > 0 AND NOT attisdropped),
        CASE typtype WHEN 'd' THEN concat_ws(' ', format_type(typbasetype, typtypmod), typnotnull, typdefault,
          (SELECT string_agg(pg_get_constraintdef(oid), ', ' ORDER BY conname) FROM pg_constraint WHERE contypid = t.oid AND contype = 'c')) END,
        (SELECT concat_ws(' ', rngsubtype::regtype, rngcanonical, rngsubdiff) FROM pg_range WHERE rngtypid = t.oid)) AS definition
      FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = typnamespace WHERE ${IN_OWN_SCHEMA} AND ${MADE_TYPE} AND ${notOfExtension("pg_type", "t.oid")}`,
    "function or procedure": `
      SELECT p.oid::regprocedure::text AS name, concat_ws(' | ', md5(prosrc), lanname, prokind, provolatile, proparallel, proisstrict, proleakproof,
        procost, prorows, prosecdef, proconfig, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid)) AS definition
      FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = pronamespace JOIN pg_language AS l ON l.oid = prolang
      WHERE ${IN_OWN_SCHEMA} AND ${notOfExtension("pg_proc", "p.oid")}`,
    ...(serverMajor < 14
      ? {}
      : {
          "body in SQL of the function": `
      SELECT p.oid::regprocedure::text AS name, md5(pg_get_function_sqlbody(p.oid)) AS definition
      FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = pronamespace
      WHERE ${IN_OWN_SCHEMA} AND prosqlbody IS NOT NULL AND ${notOfExtension("pg_proc", "p.oid")}`,
        }),
    constraint: `
      SELECT concat_ws(' ', conrelid::regclass, quote_ident(conname)) AS name, md5(pg_get_constraintdef(k.oid)) AS definition
      FROM pg_constraint AS k JOIN pg_namespace AS n ON n.oid = connamespace WHERE ${IN_OWN_SCHEMA} AND contype <> 'n' AND conrelid <> 0`,
    index: `
      SELECT concat_ws(' ', indrelid::regclass, quote_ident(relname)) AS name, md5(pg_get_indexdef(indexrelid)) AS definition
      FROM pg_index JOIN pg_class AS c ON c.oid = indexrelid JOIN pg_namespace AS n ON n.oid = relnamespace WHERE ${IN_OWN_SCHEMA}`,
    policy: `
      SELECT concat_ws(' ', polrelid::regclass, quote_ident(polname)) AS name, md5(concat_ws(' | ', polcmd, polpermissive,
        (SELECT string_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE r::regrole::text END, ',' ORDER BY r::regrole::text) FROM unnest(polroles) AS r),
        pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))) AS definition
      FROM pg_policy JOIN pg_class AS c ON c.oid = polrelid JOIN pg_namespace AS n ON n.oid = relnamespace WHERE ${IN_ALL_SCHEMAS} AND nspname <> 'cron'`,
    trigger: `
      SELECT concat_ws(' ', tgrelid::regclass, quote_ident(tgname)) AS name, md5(concat_ws(' ', tgenabled, pg_get_triggerdef(t.oid))) AS definition,
        pronamespace = relnamespace AND NOT (${IN_OWN_SCHEMA}) AS "ofPlatform"
      FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = tgrelid JOIN pg_namespace AS n ON n.oid = relnamespace JOIN pg_proc AS p ON p.oid = tgfoid
      WHERE NOT tgisinternal AND tgparentid = 0 AND ${IN_ALL_SCHEMAS} AND nspname NOT IN ('cron', 'vault', 'realtime', 'supabase_functions')`,
    "event trigger": `
      SELECT quote_ident(evtname) AS name, concat_ws(' ', evtevent, evtenabled, evttags) AS definition
      FROM pg_event_trigger AS e JOIN pg_proc AS p ON p.oid = evtfoid JOIN pg_namespace AS n ON n.oid = pronamespace
      WHERE ${IN_OWN_SCHEMA} AND ${notOfExtension("pg_event_trigger", "e.oid")}`,
    "table in a publication": `
      SELECT concat_ws(' ', quote_ident(pubname), format('%I.%I', schemaname, tablename)) AS name, concat_ws(' ', pubinsert, pubupdate, pubdelete, pubtruncate) AS definition
      FROM pg_publication_tables JOIN pg_publication USING (pubname)
      WHERE pubname NOT IN (${sqlList(PLATFORM_PUBLICATIONS.slice(1))}) AND schemaname <> 'realtime'`,
    "owner of the": `
      SELECT concat_ws(' ', word, name) AS name,
        CASE WHEN owner::regrole::text IN (${sqlList(PLATFORM_ROLES)}) THEN 'postgres' ELSE owner::regrole::text END AS definition
      FROM (${OWNED}) AS objects WHERE ${IN_OWN_SCHEMA} AND (nspname, word) <> ('public', 'schema')`,
    // The owner's own privileges go with the owner, and postgres is the owner of what the platform's roles owned.
    "access list of the": `
      SELECT concat_ws(' ', word, name) AS name,
        coalesce(${privilegesOf("coalesce(acl, acldefault(list, owner))", "grantee NOT IN (owner, (SELECT oid FROM pg_roles WHERE rolname = 'postgres'))")}, '') AS definition
      FROM (${OWNED}) AS objects WHERE ${IN_OWN_SCHEMA}
      UNION ALL SELECT format('column %s.%I', attrelid::regclass, attname),
        coalesce(${privilegesOf("attacl", "grantee <> relowner AND grantee <> (SELECT oid FROM pg_roles WHERE rolname = 'postgres')")}, '')
      FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid JOIN pg_namespace AS n ON n.oid = relnamespace
      WHERE attacl IS NOT NULL AND NOT attisdropped AND ${IN_OWN_SCHEMA} AND ${notOfExtension("pg_class", "c.oid")}`,
    "default privilege": `
      SELECT concat_ws(' ', defaclrole::regrole, defaclobjtype, nullif(defaclnamespace, 0)::regnamespace) AS name,
        (SELECT string_agg(concat_ws(' ', grantee::regrole, privilege_type, is_grantable), ',' ORDER BY grantee::regrole::text, privilege_type)
         FROM aclexplode(defaclacl) WHERE privilege_type IN (${sqlList(PRIVILEGES)})) AS definition
      FROM pg_default_acl WHERE defaclrole::regrole::text = 'postgres' OR defaclrole::regrole::text NOT IN (${sqlList(PLATFORM_ROLES)})`,
    extension: `SELECT quote_ident(extname) AS name, concat_ws(' in ', extversion, extnamespace::regnamespace) AS definition FROM pg_extension WHERE extname <> 'plpgsql'`,
  };
}
