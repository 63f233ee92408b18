import { lastLines, type Broken } from "../oracle/promises.ts";
import { markingCode } from "./forge.ts";
import { Mark } from "./forged-archive.ts";
import { choicesOf, type Hand, type Reach } from "./hand.ts";

/** A role that may do nothing but create in `public`. */
const MALLORY = `DO $$ BEGIN CREATE ROLE mallory; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
  GRANT USAGE, CREATE ON SCHEMA public TO mallory;`;

/** What calls are made of in a backup, a restore and a drill: names that catalogs have, and what they are often called with. */
const NAMES =
  "format|quote_ident|quote_literal|concat|concat_ws|left|length|lower|starts_with|coalesce|count|max|min|sum|array_agg|string_agg|json_agg|jsonb_agg|array_to_string|array_length|unnest|cardinality|to_regclass|to_char|has_table_privilege|pg_get_userbyid|obj_description|jsonb_build_object|json_build_object|regexp_replace|replace|split_part|hashtext|pg_relation_size|pg_table_is_visible|format_type|current_setting|set_config|pg_sleep|txid_current_snapshot|row_to_json|to_json|to_jsonb";
const TYPES = [
  "name",
  "text",
  "oid",
  "int4",
  "int8",
  "regclass",
  '"char"',
  "name[]",
  "text[]",
  "oid[]",
  "float4",
  "bool",
];
const OPERATORS = ["=", "<>", "||", "<", ">", "~", "!~", "->>", "+", "&&", "@>"];

/**
 * Shadows of functions and operators: whatever the catalog answers for arguments of some types and not exactly of these has one, in
 * `public`, that says so in the server's log and answers the same.
 */
const SHADOWS = (log: string) => `SET ROLE mallory;
  DO $do$
  DECLARE f text; a text; b text; args text; call text; kind text; types text[] := '{${TYPES.map((each) => `"${each.replaceAll('"', '\\"')}"`).join(",")}}';
  BEGIN
    FOREACH f IN ARRAY string_to_array('${NAMES}', '|') LOOP
      FOREACH args IN ARRAY (SELECT array_agg(x) FROM unnest(types) x) || (SELECT array_agg('text, ' || x) FROM unnest(types) x)
        || (SELECT array_agg('text, ' || x || ', ' || y) FROM unnest('{name,text,oid}'::text[]) x, unnest('{name,text,oid,int4}'::text[]) y)
        || (SELECT array_agg(x || ', ' || y) FROM unnest('{name,oid,name[],int8}'::text[]) x, unnest('{name,text,int4}'::text[]) y) LOOP
        BEGIN
          CONTINUE WHEN to_regprocedure('pg_catalog.' || quote_ident(f) || '(' || args || ')') IS NOT NULL;
          SELECT string_agg('NULL::' || trim(x), ', ') INTO call FROM unnest(string_to_array(args, ',')) x;
          EXECUTE 'SELECT pg_typeof(pg_catalog.' || quote_ident(f) || '(' || call || '))' INTO kind;
          SELECT string_agg('$' || n, ', ') INTO call FROM generate_series(1, cardinality(string_to_array(args, ','))) n;
          EXECUTE 'CREATE FUNCTION public.' || quote_ident(f) || '(' || args || ') RETURNS ' || kind || ' LANGUAGE plpgsql AS $f$ BEGIN '
            || 'RAISE LOG ''${log} % as %'', ''' || f || ''', current_user; RETURN pg_catalog.' || quote_ident(f) || '(' || call || '); END $f$';
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
      END LOOP;
    END LOOP;
    FOREACH f IN ARRAY '{${OPERATORS.map((each) => `"${each}"`).join(",")}}'::text[] LOOP
      FOREACH a IN ARRAY types LOOP
        FOREACH b IN ARRAY types LOOP
          BEGIN
            CONTINUE WHEN to_regoperator('pg_catalog.' || f || '(' || a || ',' || b || ')') IS NOT NULL;
            EXECUTE 'SELECT pg_typeof(NULL::' || a || ' OPERATOR(pg_catalog.' || f || ') NULL::' || b || ')' INTO kind;
            EXECUTE 'CREATE FUNCTION public.op_' || md5(f) || '(' || a || ', ' || b || ') RETURNS ' || kind || ' LANGUAGE plpgsql AS $f$ BEGIN '
              || 'RAISE LOG ''${log} % as %'', ''' || f || ''', current_user; RETURN $1 OPERATOR(pg_catalog.' || f || ') $2; END $f$';
            EXECUTE 'CREATE OPERATOR public.' || f || '(LEFTARG = ' || a || ', RIGHTARG = ' || b || ', FUNCTION = public.op_' || md5(f) || ')';
          EXCEPTION WHEN OTHERS THEN NULL;
          END;
        END LOOP;
      END LOOP;
    END LOOP;
  END $do$;`;

/** A role that may create in `public` shadows what the runner calls. */
export async function shadowingFunctions({ scenario, place }: Reach): Promise<Hand> {
  const { postgres } = place.world;
  const { source } = scenario.job;
  const log = `SHADOW ${place.folder}`;
  await postgres.sql("postgres", MALLORY);
  await postgres.sql(source, MALLORY + SHADOWS(log));
  const [count] = await postgres.sql(source, "SELECT count(*) FROM pg_proc WHERE proowner = 'mallory'::regrole;");
  let from = postgres.logSize();
  return {
    what: `${count ?? "0"} functions of public shadow those of the catalog`,
    harmed: [],
    check: (_command, ended) => {
      const lines = postgres.logSince(from).split("\n");
      from = postgres.logSize();
      const ran = [
        ...new Set(
          lines.flatMap((line) => (line.includes(log) ? (/SHADOW \S+ (.*) as keeper$/.exec(line)?.[1] ?? []) : [])),
        ),
      ];
      const broken: Broken[] = [];
      const promise = "no foreign code runs as the backup role";
      if (ran.length > 0) broken.push({ promise, detail: `${ended.args.join(" ")} called public's ${ran.join(", ")}` });
      broken.push(...failed(promise, ended));
      return Promise.resolve(broken);
    },
    remove: () => forget(place.world, source),
  };
}

/** What is broken where a command failed that the foreign code must not stop. */
function failed(promise: Broken["promise"], { args, code, stderr }: Parameters<Hand["check"]>[1]): Broken[] {
  if (code === 0) return [];
  return [{ promise, detail: `${args.join(" ")} ended with ${String(code)}: ${lastLines(stderr)}` }];
}

async function forget({ postgres }: Reach["place"]["world"], source: string): Promise<void> {
  await postgres.sql(source, "DROP OWNED BY mallory CASCADE;");
  await postgres.sql("postgres", "DROP OWNED BY mallory CASCADE;");
}

/** The owner of a table puts code into it that runs where it is restored. */
export async function tableOwner({ scenario, place }: Reach): Promise<Hand> {
  const { pick } = choicesOf(scenario.fault.which);
  const { postgres } = place.world;
  const { source } = scenario.job;
  const mark = new Mark(place, "table-owner");
  const [what, definition] = pick([
    ["a CHECK constraint", "CREATE TABLE public.churn_owned (x int CHECK (public.churn_act(x) > 0));"],
    [
      "a generated column",
      "CREATE TABLE public.churn_owned (x int, y int GENERATED ALWAYS AS (public.churn_act(x)) STORED);",
    ],
    ["an index", "CREATE TABLE public.churn_owned (x int); CREATE INDEX ON public.churn_owned (public.churn_act(x));"],
    [
      "a domain",
      "CREATE DOMAIN public.churn_domain AS int CHECK (public.churn_act(VALUE) > 0); CREATE TABLE public.churn_owned (x public.churn_domain);",
    ],
    [
      "a materialised view",
      "CREATE TABLE public.churn_owned (x int); CREATE MATERIALIZED VIEW public.churn_seen AS SELECT public.churn_act(x) FROM public.churn_owned;",
    ],
  ] as const);
  await postgres.sql("postgres", MALLORY);
  await postgres.sql(
    source,
    `${MALLORY} SET ROLE mallory;
     CREATE FUNCTION public.churn_do() RETURNS void LANGUAGE plpgsql AS $$ BEGIN ${markingCode(mark.file)} END $$;
     CREATE FUNCTION public.churn_act(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM public.churn_do(); RETURN 1; END $$;
     ${definition} INSERT INTO public.churn_owned (x) SELECT generate_series(1, 3);`,
  );
  // Made by a superuser in mallory's name: what that did is not the runner's.
  mark.clear();
  return {
    what: `code in ${what} of a table of mallory`,
    harmed: [],
    check: (command, ended) => {
      const promise = "restored code has no right that it had not at the source";
      // A restore goes to a superuser's URL here, and its plan says that the code runs as that role.
      const ran = mark.check(promise, ended);
      const broken = command === "restore" ? [] : ran;
      broken.push(...failed(promise, ended));
      return Promise.resolve(broken);
    },
    remove: () => forget(place.world, source),
  };
}
