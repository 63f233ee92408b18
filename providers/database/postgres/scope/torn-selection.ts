import { ProviderError } from "../../../errors.ts";
import type { ControlConnection } from "../connect/control-connection.ts";
import { type Scope, someOf } from "./scope.ts";

/**
 * Refuses a selection that keeps what needs something that it leaves out: only the restore of its dump would fail.
 *
 * @param provided schemas whose definitions every target has; their rows it has not
 * @throws {ProviderError} `CONFIG` that names both sides
 */
export async function refuseTorn(control: ControlConnection, scope: Scope, provided: readonly string[]): Promise<void> {
  const rows = await control.query<{ name: string }>(TORN_BY_ROWS, [scope.schemas, scope.tables, scope.rows]);
  const definitions = await control.query<{ name: string }>(TORN_BY_DEFINITIONS, [
    scope.schemas,
    scope.tables,
    provided,
  ]);
  const torn = [...rows, ...definitions];
  if (torn.length === 0) return;
  const problem = `What the job leaves out is needed by what it keeps, so a restore would fail: ${someOf(torn)}.`;
  throw new ProviderError("CONFIG", problem, {
    fix:
      "Leave out both, or neither. Leaving out a schema leaves out its types, functions and extensions; schema.* leaves out its tables, " +
      "views and sequences only.",
  });
}

const IS_LEFT_OUT = `(n.nspname = ANY($1::text[]) OR format('%I.%I', n.nspname, c.relname) = ANY($2::text[]))`;
const named = (oid: string): string =>
  `(SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = ${oid})`;
const isOut = (oid: string): string =>
  `EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = ${oid} AND ${IS_LEFT_OUT})`;
const isEmpty = (oid: string): string => `${named(oid)} = ANY($3::text[])`;

/** Foreign keys, which need rows, and views, some of which are filled from rows. */
const TORN_BY_ROWS = `
  SELECT format('%s refers to %s', ${named("conrelid")}, ${named("confrelid")}) AS name FROM pg_constraint
  WHERE contype = 'f' AND NOT ${isOut("conrelid")} AND NOT ${isEmpty("conrelid")} AND (${isOut("confrelid")} OR ${isEmpty("confrelid")})
  UNION
  SELECT format('%s reads %s', ${named("ev_class")}, ${named("refobjid")}) FROM pg_rewrite AS r
    JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
  WHERE refobjid <> ev_class AND NOT ${isOut("ev_class")} AND ${isOut("refobjid")}
  ORDER BY name`;

/** Catalogues of objects that are in a schema, with their columns of the name's schema. */
const IN_SCHEMAS: Readonly<Record<string, string>> = {
  pg_proc: "pronamespace",
  pg_type: "typnamespace",
  pg_operator: "oprnamespace",
  pg_opclass: "opcnamespace",
  pg_opfamily: "opfnamespace",
  pg_collation: "collnamespace",
  pg_conversion: "connamespace",
  pg_ts_config: "cfgnamespace",
  pg_ts_dict: "dictnamespace",
  pg_ts_parser: "prsnamespace",
  pg_ts_template: "tmplnamespace",
  pg_statistic_ext: "stxnamespace",
};

/**
 * Everything else that the catalogue knows to depend on what is left out: columns on types, triggers on functions, defaults on
 * sequences, tables on those that they inherit from, extensions on their schemas. A sequence that a table owns is left out with its
 * table, whatever its own name is. An extension brings what it has made, and every database has the schema public.
 */
const TORN_BY_DEFINITIONS = `
  WITH relations AS MATERIALIZED (
    SELECT c.oid, reltype, nspname = ANY($3::text[]) AS provided FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
    WHERE ${IS_LEFT_OUT} AND NOT EXISTS (
      SELECT FROM pg_depend AS d WHERE classid = 'pg_class'::regclass AND objid = c.oid AND c.relkind = 'S' AND deptype IN ('a', 'i')
        AND refclassid = 'pg_class'::regclass AND NOT ${isOut("refobjid")})
  ), schemas AS MATERIALIZED (
    SELECT oid, nspname = ANY($3::text[]) AS provided FROM pg_namespace WHERE nspname = ANY($1::text[])
  ), left_out AS MATERIALIZED (
    SELECT 'pg_namespace'::regclass::oid AS class, oid, provided FROM schemas WHERE oid <> 'public'::regnamespace
    UNION ALL SELECT 'pg_class'::regclass, oid, provided FROM relations
    UNION ALL SELECT 'pg_type'::regclass, t.oid, provided FROM relations JOIN pg_type AS t ON reltype <> 0 AND reltype IN (t.oid, typelem)
${Object.entries(IN_SCHEMAS)
  .map(
    ([catalogue, column]) =>
      `    UNION ALL SELECT '${catalogue}'::regclass, o.oid, provided FROM ${catalogue} AS o JOIN schemas ON schemas.oid = ${column}`,
  )
  .join("\n")}
  ), needed AS (
    SELECT DISTINCT d.classid, d.objid, d.objsubid, d.refclassid, d.refobjid,
      CASE d.classid
        WHEN 'pg_class'::regclass THEN coalesce((SELECT indrelid FROM pg_index WHERE indexrelid = d.objid), d.objid)
        WHEN 'pg_attrdef'::regclass THEN (SELECT adrelid FROM pg_attrdef WHERE oid = d.objid)
        WHEN 'pg_constraint'::regclass THEN (SELECT conrelid FROM pg_constraint WHERE oid = d.objid)
        WHEN 'pg_trigger'::regclass THEN (SELECT tgrelid FROM pg_trigger WHERE oid = d.objid)
        WHEN 'pg_policy'::regclass THEN (SELECT polrelid FROM pg_policy WHERE oid = d.objid)
        WHEN 'pg_rewrite'::regclass THEN (SELECT ev_class FROM pg_rewrite WHERE oid = d.objid)
      END AS relation
    FROM pg_depend AS d JOIN left_out ON left_out.class = d.refclassid AND left_out.oid = d.refobjid
    WHERE d.deptype = 'n' AND NOT provided
      -- pg_dump leaves these out together with what they depend on; the last two are of a family, which has its own line.
      AND d.classid <> ALL (ARRAY['pg_cast', 'pg_transform', 'pg_publication_rel', 'pg_default_acl', 'pg_amop', 'pg_amproc']::regclass[])
      AND NOT EXISTS (SELECT FROM pg_depend AS e WHERE e.deptype = 'e' AND e.classid = d.refclassid AND e.objid = d.refobjid)
      AND NOT EXISTS (SELECT FROM pg_depend AS e WHERE e.deptype = 'e' AND e.classid = d.classid AND e.objid = d.objid)
  )
  SELECT DISTINCT format('%s %s needs %s %s', o.type, o.identity, r.type, r.identity) AS name
  FROM needed, pg_identify_object(classid, objid, objsubid) AS o, pg_identify_object(refclassid, refobjid, 0) AS r
  WHERE NOT EXISTS (
      SELECT FROM left_out WHERE (class, oid) IN ((classid, objid), ('pg_class'::regclass, relation))
        -- People add triggers and policies to tables of a platform, and these are restored.
        AND NOT (provided AND classid IN ('pg_trigger'::regclass, 'pg_policy'::regclass)))
    AND NOT (classid = 'pg_rewrite'::regclass AND refclassid = 'pg_class'::regclass)
    AND NOT (classid = 'pg_constraint'::regclass AND EXISTS (SELECT FROM pg_constraint WHERE pg_constraint.oid = objid AND (contype = 'f'
      OR contypid <> 0 AND EXISTS (SELECT FROM left_out WHERE class = 'pg_type'::regclass AND left_out.oid = contypid))))
  ORDER BY name`;
