import {
  COLUMN_OPTIONS,
  INDEX_OPTIONS,
  OPERATOR_CLASS_OPTIONS,
  PRIVILEGES,
  RELATION_OPTIONS,
} from "../providers/database/postgres/documented.ts";
import { sqlList } from "../providers/database/supabase/platform.ts";

/** The first version with the privilege MAINTAIN, which an owner has by default. */
const MAINTAIN = 17;

/** The first version that keeps NOT NULL as constraints with names. */
const NAMED_NOT_NULL = 18;

/**
 * What a database is made of, as queries that each give rows of `name` and `definition`, free of numbers that differ from
 * server to server. They read the catalogue and not pg_dump's output: what checks a restore must not share its defects. Of lists
 * in the catalogue they take what PostgreSQL documents, since servers keep values of their own there.
 *
 * @param major the older one of the two versions that are compared, so that neither is asked for what the other cannot have
 */
export function catalogueQueries(major: number): Readonly<Record<string, string>> {
  const acl = (column: string, kind: string, owner: string): string =>
    accessList(`coalesce(${column}, acldefault(${kind}, ${owner}))`, major);
  return {
    schema: `
    SELECT quote_ident(nspname) AS name, concat_ws(' | ', nspowner::regrole, ${acl("nspacl", "'n'", "nspowner")}) AS definition
    FROM pg_namespace WHERE ${ours("nspname")}`,

    extension: `
    SELECT quote_ident(extname) AS name, concat_ws(' in ', ${extensionVersion}, extnamespace::regnamespace) AS definition FROM pg_extension`,

    relation: `
    SELECT c.oid::regclass::text AS name, concat_ws(' | ',
      relkind, relpersistence, relowner::regrole, relreplident,
      CASE WHEN relkind = 'm' THEN 'filled ' || relispopulated END,
      CASE WHEN relrowsecurity THEN 'row security' END, CASE WHEN relforcerowsecurity THEN 'forced row security' END,
      ${options("reloptions", RELATION_OPTIONS)},
      (SELECT 'toast ' || ${options("t.reloptions", RELATION_OPTIONS)} FROM pg_class AS t WHERE t.oid = c.reltoastrelid),
      (SELECT string_agg(inhparent::regclass::text, ',' ORDER BY inhseqno) FROM pg_inherits WHERE inhrelid = c.oid),
      pg_get_expr(relpartbound, c.oid), CASE WHEN relkind = 'p' THEN pg_get_partkeydef(c.oid) END,
      CASE WHEN relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END,
      CASE WHEN relkind <> 'c' THEN ${acl("relacl", "CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::\"char\"", "relowner")} END) AS definition
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
    WHERE ${ours("nspname")} AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c')`,

    column: `
    SELECT attrelid::regclass || '.' || quote_ident(attname) AS name, concat_ws(' | ',
      row_number() OVER (PARTITION BY attrelid ORDER BY attnum),
      format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN 'not null' END,
      pg_get_expr(adbin, adrelid), nullif(attidentity, ''), nullif(attgenerated, ''), nullif(attcompression, ''), attstorage,
      nullif(attcollation, 0)::regcollation, attislocal, nullif(attstattarget, -1),
      ${accessList("attacl", major)}, ${options("attoptions", COLUMN_OPTIONS)}) AS definition
    FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = attrelid JOIN pg_namespace AS n ON n.oid = relnamespace
      LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE ${ours("nspname")} AND attnum > 0 AND NOT attisdropped AND relkind IN ('r', 'p', 'v', 'm', 'f', 'c')`,

    constraint: `
    SELECT coalesce(nullif(conrelid, 0)::regclass::text, contypid::regtype::text) || ' ' || quote_ident(conname) AS name,
      concat_ws(' | ', ${constraintDefinition}, convalidated, conislocal) AS definition
    FROM pg_constraint AS k JOIN pg_namespace AS n ON n.oid = connamespace
    WHERE ${ours("nspname")}${major < NAMED_NOT_NULL ? " AND contype <> 'n'" : ""}`,

    index: `
    SELECT indexrelid::regclass::text AS name, concat_ws(' | ', ${indexDefinition}, indisvalid,
      CASE WHEN indisclustered THEN 'clustered' END, CASE WHEN indisreplident THEN 'replica identity' END,
      (SELECT inhparent::regclass FROM pg_inherits WHERE inhrelid = indexrelid)) AS definition
    FROM pg_index JOIN pg_class AS c ON c.oid = indexrelid JOIN pg_namespace AS n ON n.oid = relnamespace JOIN pg_am AS m ON m.oid = relam
    WHERE ${ours("nspname")}`,

    trigger: `
    SELECT tgrelid::regclass || ' ' || quote_ident(tgname) AS name, concat_ws(' ', tgenabled, pg_get_triggerdef(oid)) AS definition
    FROM pg_trigger WHERE NOT tgisinternal`,

    "event trigger": `
    SELECT quote_ident(evtname) AS name, concat_ws(' | ', evtevent, evtowner::regrole, evtfoid::regproc, evtenabled, evttags) AS definition
    FROM pg_event_trigger`,

    rule: `
    SELECT ev_class::regclass || ' ' || quote_ident(rulename) AS name, concat_ws(' ', ev_enabled, pg_get_ruledef(r.oid)) AS definition
    FROM pg_rewrite AS r JOIN pg_class AS c ON c.oid = ev_class JOIN pg_namespace AS n ON n.oid = relnamespace
    WHERE ${ours("nspname")} AND rulename <> '_RETURN'`,

    policy: `
    SELECT polrelid::regclass || ' ' || quote_ident(polname) AS name, concat_ws(' | ', polcmd, polpermissive,
      (SELECT string_agg(CASE r WHEN 0 THEN 'public' ELSE r::regrole::text END, ',' ORDER BY r::regrole::text) FROM unnest(polroles) AS r),
      pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) AS definition
    FROM pg_policy`,

    function: `
    SELECT p.oid::regprocedure::text AS name, concat_ws(' | ', proowner::regrole, ${acl("proacl", "'f'", "proowner")},
      CASE prokind WHEN 'a' THEN (
        SELECT concat_ws(' ', aggtransfn, aggtranstype::regtype, agginitval, aggfinalfn, aggcombinefn, aggsortop::regoperator)
        FROM pg_aggregate WHERE aggfnoid = p.oid) ELSE pg_get_functiondef(p.oid) END) AS definition
    FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = pronamespace WHERE ${ours("nspname")}`,

    operator: `
    SELECT o.oid::regoperator::text AS name, concat_ws(' | ', oprcode, oprowner::regrole, oprresult::regtype) AS definition
    FROM pg_operator AS o JOIN pg_namespace AS n ON n.oid = oprnamespace WHERE ${ours("nspname")}`,

    type: `
    SELECT t.oid::regtype::text AS name, concat_ws(' | ', typtype, typowner::regrole, ${acl("typacl", "'T'", "typowner")},
      nullif(typbasetype, 0)::regtype, typnotnull, typdefault, nullif(typcollation, 0)::regcollation,
      (SELECT string_agg(quote_literal(enumlabel), ',' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid),
      (SELECT rngsubtype::regtype::text FROM pg_range WHERE rngtypid = t.oid)) AS definition
    FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = typnamespace WHERE ${ours("nspname")}`,

    collation: `
    SELECT c.oid::regcollation::text AS name,
      concat_ws(' | ', collowner::regrole, collprovider, collisdeterministic, collcollate, collctype) AS definition
    FROM pg_collation AS c JOIN pg_namespace AS n ON n.oid = collnamespace WHERE ${ours("nspname")}`,

    "text search configuration": `
    SELECT c.oid::regconfig::text AS name, concat_ws(' | ', cfgowner::regrole,
      (SELECT string_agg(maptokentype || ':' || mapdict::regdictionary, ',' ORDER BY maptokentype, mapseqno)
       FROM pg_ts_config_map WHERE mapcfg = c.oid)) AS definition
    FROM pg_ts_config AS c JOIN pg_namespace AS n ON n.oid = cfgnamespace WHERE ${ours("nspname")}`,

    sequence: `
    SELECT seqrelid::regclass::text AS name, concat_ws(' | ', seqtypid::regtype, seqstart, seqincrement, seqmax, seqmin, seqcache, seqcycle,
      (SELECT refobjid::regclass || '.' || refobjsubid FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = seqrelid AND deptype IN ('a', 'i')
        AND refclassid = 'pg_class'::regclass)) AS definition
    FROM pg_sequence`,

    statistics: `
    SELECT quote_ident(stxname) AS name, concat_ws(' | ', pg_get_statisticsobjdef(oid), stxowner::regrole) AS definition FROM pg_statistic_ext`,

    publication: `
    SELECT quote_ident(pubname) AS name, concat_ws(' | ', pubowner::regrole, puballtables, pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot,
      (SELECT string_agg(prrelid::regclass::text, ','
        ORDER BY prrelid::regclass::text) FROM pg_publication_rel WHERE prpubid = pg_publication.oid)) AS definition
    FROM pg_publication`,

    "default privileges": `
    SELECT concat_ws(' ', defaclrole::regrole, nullif(defaclnamespace, 0)::regnamespace, defaclobjtype) AS name,
      ${accessList("defaclacl", major)} AS definition
    FROM pg_default_acl`,

    comment: `
    SELECT concat_ws(' ', i.type, i.identity) AS name, description AS definition
    FROM pg_description, pg_identify_object(classoid, objoid, objsubid) AS i
    WHERE coalesce(i.schema, '') !~ '^(pg_|information_schema)' AND objoid >= 16384`,

    "large object": `
    SELECT oid::text AS name, concat_ws(' | ', lomowner::regrole, ${acl("lomacl", "'L'", "lomowner")}, encode(sha256(lo_get(oid)), 'hex')) AS definition
    FROM pg_largeobject_metadata`,
  };
}

/** Schemas of this database's own, by the column that has their name. */
function ours(column: string): string {
  return `${column} !~ '^(pg_|information_schema$)'`;
}

/** Privileges in one order. A column that has the default written out means the same whether it is stored or not. */
function accessList(acl: string, major: number): string {
  const known = sqlList(major < MAINTAIN ? PRIVILEGES : [...PRIVILEGES, "MAINTAIN"]);
  return `(SELECT string_agg(format('%s=%s%s/%s', CASE grantee WHEN 0 THEN '' ELSE grantee::regrole::text END, privilege_type,
        CASE WHEN is_grantable THEN '*' END, grantor::regrole), ',' ORDER BY grantee::regrole::text, privilege_type, grantor::regrole::text)
      FROM aclexplode(${acl}) WHERE privilege_type IN (${known}))`;
}

/** Of a list of `name=value` those with a documented name, in one order. */
function options(column: string, documented: readonly string[]): string {
  return `(SELECT string_agg(o, ',' ORDER BY o) FROM unnest(${column}) AS o WHERE split_part(o, '=', 1) IN (${sqlList(documented)}))`;
}

/** What a restore takes where pg_dump names no version: the server's default is the same whatever number it has. */
const extensionVersion = `CASE extversion WHEN (SELECT default_version FROM pg_available_extensions AS a WHERE a.name = extname)
      THEN 'default version' ELSE extversion END`;

/** Of an exclusion, the server writes out the options of its index; that index is compared by itself. */
const constraintDefinition = `CASE contype WHEN 'x' THEN concat_ws(' ', condeferrable, condeferred,
        (SELECT string_agg(operator::regoperator::text, ', ' ORDER BY k) FROM unnest(conexclop) WITH ORDINALITY AS o (operator, k)))
      ELSE pg_get_constraintdef(k.oid) END`;

/**
 * An index without `pg_get_indexdef` of the whole, which writes out every option that the catalogue has. An access method of
 * an extension has options that PostgreSQL's documentation does not name: of those all count.
 */
const indexDefinition = `amname, indrelid::regclass, CASE WHEN indisunique THEN 'unique' END, CASE WHEN indisexclusion THEN 'exclusion' END,
      CASE WHEN NOT indimmediate THEN 'deferrable' END, to_jsonb(pg_index) ->> 'indnullsnotdistinct',
      (SELECT string_agg(concat_ws(' ', pg_get_indexdef(indexrelid, k, false),
          CASE WHEN k <= indnkeyatts THEN (SELECT opcnamespace::regnamespace || '.' || opcname FROM pg_opclass WHERE oid = indclass[k - 1]) END,
          CASE WHEN k <= indnkeyatts THEN nullif(indcollation[k - 1], 0)::regcollation END,
          CASE WHEN k <= indnkeyatts THEN indoption[k - 1] ELSE -1 END,
          (SELECT ${options("attoptions", OPERATOR_CLASS_OPTIONS)} FROM pg_attribute WHERE attrelid = indexrelid AND attnum = k)), ', ' ORDER BY k)
        FROM generate_series(1, indnatts) AS k),
      pg_get_expr(indpred, indrelid),
      CASE WHEN m.oid < 16384 THEN ${options("reloptions", INDEX_OPTIONS)}
        ELSE (SELECT string_agg(o, ',' ORDER BY o) FROM unnest(reloptions) AS o) END`;
