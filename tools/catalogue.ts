/**
 * What a database is made of, as queries that each give rows of `name` and `definition`, free of numbers that differ from
 * server to server. They read the catalogue and not pg_dump's output: what checks a restore must not share its defects.
 */
export const catalogueQueries: Readonly<Record<string, string>> = {
  schema: `
    SELECT quote_ident(nspname) AS name, concat_ws(' | ', nspowner::regrole, ${acl("nspacl", "'n'", "nspowner")}) AS definition
    FROM pg_namespace WHERE ${ours("nspname")}`,

  extension: `SELECT quote_ident(extname) AS name, extversion || ' in ' || extnamespace::regnamespace AS definition FROM pg_extension`,

  relation: `
    SELECT c.oid::regclass::text AS name, concat_ws(' | ',
      relkind, relpersistence, relowner::regrole, relreplident,
      CASE WHEN relkind = 'm' THEN 'filled ' || relispopulated END,
      CASE WHEN relrowsecurity THEN 'row security' END, CASE WHEN relforcerowsecurity THEN 'forced row security' END,
      (SELECT string_agg(o, ',' ORDER BY o) FROM unnest(reloptions) AS o),
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
      (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(attacl) AS a),
      (SELECT string_agg(o, ',' ORDER BY o) FROM unnest(attoptions) AS o)) AS definition
    FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = attrelid JOIN pg_namespace AS n ON n.oid = relnamespace
      LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE ${ours("nspname")} AND attnum > 0 AND NOT attisdropped AND relkind IN ('r', 'p', 'v', 'm', 'f', 'c')`,

  constraint: `
    SELECT coalesce(nullif(conrelid, 0)::regclass::text, contypid::regtype::text) || ' ' || quote_ident(conname) AS name,
      concat_ws(' | ', pg_get_constraintdef(k.oid), convalidated, conislocal) AS definition
    FROM pg_constraint AS k JOIN pg_namespace AS n ON n.oid = connamespace WHERE ${ours("nspname")}`,

  index: `
    SELECT indexrelid::regclass::text AS name, concat_ws(' | ', pg_get_indexdef(indexrelid), indisvalid,
      CASE WHEN indisclustered THEN 'clustered' END, CASE WHEN indisreplident THEN 'replica identity' END,
      (SELECT inhparent::regclass FROM pg_inherits WHERE inhrelid = indexrelid)) AS definition
    FROM pg_index JOIN pg_class AS c ON c.oid = indexrelid JOIN pg_namespace AS n ON n.oid = relnamespace WHERE ${ours("nspname")}`,

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
      (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(defaclacl) AS a) AS definition
    FROM pg_default_acl`,

  comment: `
    SELECT concat_ws(' ', i.type, i.identity) AS name, description AS definition
    FROM pg_description, pg_identify_object(classoid, objoid, objsubid) AS i
    WHERE coalesce(i.schema, '') !~ '^(pg_|information_schema)' AND objoid >= 16384`,

  "large object": `
    SELECT oid::text AS name, concat_ws(' | ', lomowner::regrole, ${acl("lomacl", "'L'", "lomowner")}, encode(sha256(lo_get(oid)), 'hex')) AS definition
    FROM pg_largeobject_metadata`,
};

/** Schemas of this database's own, by the column that has their name. */
function ours(column: string): string {
  return `${column} !~ '^(pg_|information_schema$)'`;
}

/** Privileges in one order, with the default written out: it means the same whether it is stored or not. */
function acl(column: string, kind: string, owner: string): string {
  return `(SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(coalesce(${column}, acldefault(${kind}, ${owner}))) AS a)`;
}
