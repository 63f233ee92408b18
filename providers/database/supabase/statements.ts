import {
  IN_OWN_SCHEMA,
  isPlatformFunction,
  notOfExtension,
  PLATFORM_PUBLICATIONS,
  PLATFORM_ROLES,
  PROVIDED_SCHEMAS,
  sqlList,
} from "./platform.ts";

/** One part of a backup that is made of single statements, each from a row of its query. */
export interface StatementsPart {
  /** File name without the endings of compression and encryption. */
  readonly name: string;
  /** What the part covers, as a plural. */
  readonly title: string;
  /** What the objects have in common whose names a row of {@link query} gives as `named`. */
  readonly names?: string;
  /**
   * Gives rows of `sql`, in the order in which they must run. A row with a `schema` or a
   * `table` (qualified, quoted where needed) is about that, and is left out with it.
   */
  readonly query: string;
}

const PLATFORM_SCHEMA = `nspname IN (${sqlList(PROVIDED_SCHEMAS)})`;
/** pg_cron's own functions restore its jobs with their policies; no role may create policies or triggers there. */
const CHANGEABLE = `${PLATFORM_SCHEMA} AND nspname NOT IN ('cron', 'vault')`;
const GRANTEE = "CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END";
const WITH_GRANT = "CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END";

/** Extensions that a new project must have before anything that uses them, with the versions that they had. */
export const extensions: StatementsPart = {
  name: "extensions.sql",
  title: "extensions with their versions and schemas",
  // One that says itself where it belongs makes that schema on its own.
  query: `
    SELECT format('CREATE EXTENSION IF NOT EXISTS %I%s VERSION %L CASCADE', extname,
      CASE WHEN v.schema IS NULL THEN format(' WITH SCHEMA %I', nspname) ELSE '' END, extversion) AS sql
    FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
      LEFT JOIN pg_available_extension_versions AS v ON v.name = extname AND v.version = extversion
    WHERE extname <> 'plpgsql' AND (${PLATFORM_SCHEMA} OR nspname IN ('public', 'pg_catalog'))
    ORDER BY pg_extension.oid`,
};

/** Owners of the project's own objects other than `postgres`, which a restore makes the owner of everything at first. */
export const owners: StatementsPart = {
  name: "owners.sql",
  title: "owners other than postgres of objects in the project's own schemas",
  names: "of roles of the platform, and of postgres after a restore",
  query: `
    SELECT format('ALTER %s %s OWNER TO %s', CASE i.type WHEN 'statistics object' THEN 'STATISTICS' ELSE upper(i.type) END,
      i.identity, owner::regrole) AS sql, nspname AS schema, CASE WHEN owner::regrole::text IN (${sqlList(PLATFORM_ROLES)}) THEN i.identity END AS named,
      CASE WHEN o.class = 'pg_class'::regclass THEN (SELECT format('%I.%I', nspname, relname) FROM pg_class WHERE oid = o.oid) END AS table
    FROM (
      SELECT 'pg_namespace'::regclass AS class, oid, nspowner AS owner, oid AS schema FROM pg_namespace WHERE nspname <> 'public'
      UNION ALL SELECT 'pg_class'::regclass, oid, relowner, relnamespace FROM pg_class AS c WHERE relkind IN ('r', 'p', 'v', 'm', 'f')
        OR relkind = 'S' AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype IN ('a', 'i'))
      UNION ALL SELECT 'pg_proc'::regclass, oid, proowner, pronamespace FROM pg_proc
      UNION ALL SELECT 'pg_type'::regclass, oid, typowner, typnamespace FROM pg_type AS t WHERE typtype IN ('d', 'e', 'r')
        OR typtype = 'c' AND EXISTS (SELECT FROM pg_class WHERE pg_class.oid = typrelid AND relkind = 'c')
      UNION ALL SELECT 'pg_operator'::regclass, oid, oprowner, oprnamespace FROM pg_operator
      UNION ALL SELECT 'pg_opclass'::regclass, oid, opcowner, opcnamespace FROM pg_opclass
      UNION ALL SELECT 'pg_opfamily'::regclass, oid, opfowner, opfnamespace FROM pg_opfamily
      UNION ALL SELECT 'pg_collation'::regclass, oid, collowner, collnamespace FROM pg_collation
      UNION ALL SELECT 'pg_ts_config'::regclass, oid, cfgowner, cfgnamespace FROM pg_ts_config
      UNION ALL SELECT 'pg_ts_dict'::regclass, oid, dictowner, dictnamespace FROM pg_ts_dict
      UNION ALL SELECT 'pg_statistic_ext'::regclass, oid, stxowner, stxnamespace FROM pg_statistic_ext
    ) AS o JOIN pg_namespace ON pg_namespace.oid = o.schema, pg_identify_object(o.class, o.oid, 0) AS i
    WHERE ${IN_OWN_SCHEMA} AND owner <> (SELECT oid FROM pg_roles WHERE rolname = 'postgres') AND o.oid >= 16384
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = o.class AND objid = o.oid AND deptype = 'e')
    ORDER BY o.class::text <> 'pg_namespace', o.oid`,
};

/** What people add to tables that the platform owns. The platform's own triggers call functions of the same schema. */
export const platformObjects: StatementsPart = {
  name: "platform-objects.sql",
  title: "policies and triggers, with their comments, on tables of auth, storage, realtime and queues",
  names: "which only the tables' owner, or a hosted project's postgres, may create",
  query: `
    SELECT sql, CASE WHEN name <> '' THEN format('%s.%I', of, name) END AS named FROM (
      SELECT 1 AS step, c.oid::regclass::text AS of, '' AS name, format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', c.oid::regclass) AS sql
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace WHERE nspname = 'pgmq' AND relrowsecurity
      UNION ALL
      SELECT 2, c.oid::regclass::text, polname, format('CREATE POLICY %I ON %s AS %s FOR %s TO %s%s%s', polname, c.oid::regclass,
        CASE WHEN polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
        CASE polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
        (SELECT string_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE r::regrole::text END, ', ' ORDER BY r::regrole::text) FROM unnest(polroles) AS r),
        ' USING (' || pg_get_expr(polqual, polrelid) || ')', ' WITH CHECK (' || pg_get_expr(polwithcheck, polrelid) || ')')
      FROM pg_policy JOIN pg_class AS c ON c.oid = polrelid JOIN pg_namespace AS n ON n.oid = relnamespace WHERE ${CHANGEABLE}
      UNION ALL
      SELECT 3, tgrelid::regclass::text, tgname, pg_get_triggerdef(t.oid)
      FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = tgrelid JOIN pg_namespace AS n ON n.oid = relnamespace JOIN pg_proc AS p ON p.oid = tgfoid
      WHERE ${CHANGEABLE} AND NOT tgisinternal AND tgparentid = 0 AND pronamespace <> relnamespace
      UNION ALL
      SELECT 4, tgrelid::regclass::text, tgname, format('ALTER TABLE %s %s TRIGGER %I', tgrelid::regclass,
        CASE tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, tgname)
      FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = tgrelid JOIN pg_namespace AS n ON n.oid = relnamespace JOIN pg_proc AS p ON p.oid = tgfoid
      WHERE ${CHANGEABLE} AND NOT tgisinternal AND tgparentid = 0 AND pronamespace <> relnamespace AND tgenabled <> 'O'
      UNION ALL
      SELECT 5, c.oid::regclass::text, polname, format('COMMENT ON POLICY %I ON %s IS %L', polname, c.oid::regclass, d.description)
      FROM pg_policy AS p JOIN pg_class AS c ON c.oid = polrelid JOIN pg_namespace AS n ON n.oid = relnamespace
        JOIN pg_description AS d ON d.classoid = 'pg_policy'::regclass AND d.objoid = p.oid WHERE ${CHANGEABLE}
      UNION ALL
      SELECT 6, tgrelid::regclass::text, tgname, format('COMMENT ON TRIGGER %I ON %s IS %L', tgname, tgrelid::regclass, d.description)
      FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = tgrelid JOIN pg_namespace AS n ON n.oid = relnamespace JOIN pg_proc AS p ON p.oid = tgfoid
        JOIN pg_description AS d ON d.classoid = 'pg_trigger'::regclass AND d.objoid = t.oid
      WHERE ${CHANGEABLE} AND NOT tgisinternal AND tgparentid = 0 AND pronamespace <> relnamespace
    ) AS found ORDER BY step, of, name`,
};

/** Tables that people add to the publications of the platform. Their own publications are in the archive. */
export function publications(serverMajor: number): StatementsPart {
  const [columns, condition] =
    serverMajor < 15
      ? ["''", "''"]
      : [
          `coalesce((SELECT ' (' || string_agg(quote_ident(attname), ', ' ORDER BY attnum) || ')' FROM pg_attribute
             WHERE attrelid = prrelid AND attnum = ANY (prattrs)), '')`,
          "coalesce(' WHERE (' || pg_get_expr(prqual, prrelid) || ')', '')",
        ];
  return {
    name: "publications.sql",
    title: "tables in the platform's publications, as supabase_realtime, and what these publish",
    query: `
      SELECT format('ALTER PUBLICATION %I ADD TABLE ONLY %s%s%s', pubname, prrelid::regclass, ${columns}, ${condition}) AS sql,
        nspname AS schema, format('%I.%I', nspname, relname) AS table
      FROM pg_publication_rel AS r JOIN pg_publication AS p ON p.oid = prpubid
        JOIN pg_class AS c ON c.oid = prrelid JOIN pg_namespace AS n ON n.oid = relnamespace
      WHERE pubname IN (${sqlList(PLATFORM_PUBLICATIONS)}) AND nspname <> 'realtime'
      UNION ALL
      SELECT format('ALTER PUBLICATION %I SET (publish = %L, publish_via_partition_root = %s)', pubname, concat_ws(', ', CASE WHEN pubinsert THEN 'insert' END,
        CASE WHEN pubupdate THEN 'update' END, CASE WHEN pubdelete THEN 'delete' END, CASE WHEN pubtruncate THEN 'truncate' END), pubviaroot::text), NULL, NULL
      FROM pg_publication WHERE pubname IN (${sqlList(PLATFORM_PUBLICATIONS.slice(0, 1))})
        AND NOT (pubinsert AND pubupdate AND pubdelete AND pubtruncate AND NOT pubviaroot)
      ORDER BY sql`,
  };
}

/** Event triggers that are neither the platform's nor an extension's. */
export const eventTriggers: StatementsPart = {
  name: "event-triggers.sql",
  title: "event triggers",
  names: "which a plain server lets only a superuser create",
  query: `
    SELECT sql, quote_ident(evtname) AS named FROM (
      SELECT 1 AS step, evtname, format('CREATE EVENT TRIGGER %I ON %s%s EXECUTE FUNCTION %s()', evtname, evtevent,
        (SELECT ' WHEN TAG IN (' || string_agg(quote_literal(t), ', ') || ')' FROM unnest(evttags) AS t), evtfoid::regproc) AS sql
      FROM pg_event_trigger AS e JOIN pg_proc AS p ON p.oid = evtfoid JOIN pg_namespace AS n ON n.oid = pronamespace
      WHERE ${IN_OWN_SCHEMA} AND ${notOfExtension("pg_event_trigger", "e.oid")}
      UNION ALL
      SELECT 2, evtname, format('ALTER EVENT TRIGGER %I %s', evtname,
        CASE evtenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END)
      FROM pg_event_trigger AS e JOIN pg_proc AS p ON p.oid = evtfoid JOIN pg_namespace AS n ON n.oid = pronamespace
      WHERE ${IN_OWN_SCHEMA} AND ${notOfExtension("pg_event_trigger", "e.oid")} AND evtenabled <> 'O'
      UNION ALL
      SELECT 3, evtname, format('COMMENT ON EVENT TRIGGER %I IS %L', evtname, obj_description(e.oid, 'pg_event_trigger'))
      FROM pg_event_trigger AS e JOIN pg_proc AS p ON p.oid = evtfoid JOIN pg_namespace AS n ON n.oid = pronamespace
      WHERE ${IN_OWN_SCHEMA} AND ${notOfExtension("pg_event_trigger", "e.oid")} AND obj_description(e.oid, 'pg_event_trigger') IS NOT NULL
    ) AS found ORDER BY step, evtname`,
};

const KIND_OF_DEFAULT = `CASE defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES' ELSE 'SCHEMAS' END`;
const FOR_ROLE = `format('ALTER DEFAULT PRIVILEGES FOR ROLE %s%s', defaclrole::regrole,
  CASE WHEN defaclnamespace = 0 THEN '' ELSE format(' IN SCHEMA %s', defaclnamespace::regnamespace) END)`;
/** What a new object would have without any default: with a schema named, defaults only add to that. */
const BUILT_IN = `CASE WHEN defaclnamespace = 0
  THEN acldefault(CASE defaclobjtype WHEN 'S' THEN 's' ELSE defaclobjtype END, defaclrole) END`;

/**
 * Default privileges as statements.
 *
 * @param from the privileges that are there; `builtIn` or the row's own
 * @param to the privileges that there are to be
 */
function changesOfDefaults(from: string, to: string, roles: string): string {
  const difference = (some: string, others: string): string => `
    LATERAL (
      SELECT grantee, is_grantable, string_agg(privilege_type, ', ' ORDER BY privilege_type) AS privileges
      FROM (SELECT * FROM aclexplode(${some}) EXCEPT SELECT * FROM aclexplode(${others})) AS items GROUP BY grantee, is_grantable
    ) AS changed`;
  return `
    SELECT sql, (SELECT nspname FROM pg_namespace WHERE oid = defaclnamespace) AS schema FROM (
      SELECT 1 AS step, defaclnamespace, format('%s REVOKE %s ON %s FROM %s', ${FOR_ROLE}, privileges, ${KIND_OF_DEFAULT}, ${GRANTEE}) AS sql
      FROM pg_default_acl, ${difference(from, to)} WHERE ${roles}
      UNION ALL
      SELECT 2, defaclnamespace, format('%s GRANT %s ON %s TO %s%s', ${FOR_ROLE}, privileges, ${KIND_OF_DEFAULT}, ${GRANTEE}, ${WITH_GRANT})
      FROM pg_default_acl, ${difference(to, from)} WHERE ${roles}
    ) AS found ORDER BY step, sql`;
}

const OF_POSTGRES = "defaclrole::regrole::text = 'postgres'";
const OWN_DEFAULTS = `(${OF_POSTGRES} OR defaclrole::regrole::text NOT IN (${sqlList(PLATFORM_ROLES)}))`;

/** What objects of `postgres` and of the project's own roles are open to from the start. */
export const defaultPrivileges: StatementsPart = {
  name: "default-privileges.sql",
  title: "default privileges of postgres and the project's own roles",
  query: changesOfDefaults(BUILT_IN, "defaclacl", OWN_DEFAULTS),
};

/**
 * Statements that revoke every default privilege of `postgres`. A new project opens each new table to `anon`; what is restored
 * must be open only to the roles that the backup names.
 */
export const NO_DEFAULT_PRIVILEGES = changesOfDefaults("defaclacl", BUILT_IN, OF_POSTGRES);

/** Statements that give those back which {@link NO_DEFAULT_PRIVILEGES} takes away. */
export const DEFAULT_PRIVILEGES_NOW = changesOfDefaults(BUILT_IN, "defaclacl", OF_POSTGRES);

/** Privileges on the platform's objects that `postgres` or a role of the project has given, or such a role has got. */
export const grants: StatementsPart = {
  name: "grants.sql",
  title: "privileges that the project has given on objects of the platform",
  query: `
    SELECT format('GRANT %s%s ON %s %s TO %s%s', privilege_type, columns, kind, identity, ${GRANTEE}, ${WITH_GRANT}) AS sql
    FROM (
      SELECT 'SCHEMA' AS kind, oid::regnamespace::text AS identity, '' AS columns, nspname, nspowner AS owner, nspacl AS acl FROM pg_namespace
      UNION ALL SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass::text, '', nspname, relowner, relacl
        FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
      UNION ALL SELECT 'TABLE', attrelid::regclass::text, format(' (%I)', attname), nspname, relowner, attacl
        FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid JOIN pg_namespace AS n ON n.oid = relnamespace WHERE attacl IS NOT NULL AND NOT attisdropped
      UNION ALL SELECT 'ROUTINE', p.oid::regprocedure::text, '', nspname, proowner, proacl FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = pronamespace
        WHERE NOT ${isPlatformFunction("nspname", "proname")}
    ) AS objects, aclexplode(acl)
    WHERE ${PLATFORM_SCHEMA} AND nspname NOT IN ('cron', 'vault') AND grantee <> owner AND grantee::regrole::text <> 'postgres'
      AND (grantor::regrole::text NOT IN (${sqlList(PLATFORM_ROLES.filter((role) => role !== "postgres"))})
        OR grantee <> 0 AND grantee::regrole::text NOT IN (${sqlList(PLATFORM_ROLES)}))
    ORDER BY kind <> 'SCHEMA', sql`,
};

/** pg_cron's jobs, as calls of its function: only the platform may write its table. */
export const cronJobs: StatementsPart = {
  name: "cron.sql",
  title: "jobs of pg_cron",
  query: `
    SELECT CASE WHEN active THEN format('SELECT %s', call) ELSE format('SELECT cron.alter_job(job_id := %s, active := false)', call) END AS sql
    FROM (
      SELECT jobid, active, CASE WHEN jobname IS NULL THEN format('cron.schedule(%L, %L)', schedule, command)
        ELSE format('cron.schedule(%L, %L, %L)', jobname, schedule, command) END AS call
      FROM cron.job WHERE database = current_database() AND username = 'postgres'
    ) AS jobs ORDER BY jobid`,
};
