import { lastLines } from "../oracle/promises.ts";
import { choicesOf, type Hand, type Reach } from "./hand.ts";

/** Settings that a role or a database may well have, and that change what statements mean or how values read. */
const ODD = [
  "datestyle = 'SQL, DMY'",
  "datestyle = 'German'",
  "datestyle = 'Postgres, DMY'",
  "intervalstyle = 'sql_standard'",
  "client_encoding = 'LATIN1'",
  "client_encoding = 'WIN1252'",
  "client_encoding = 'SQL_ASCII'",
  "search_path = 'shop'",
  "search_path = ''",
  "search_path = 'nowhere'",
  "timezone = 'Asia/Kathmandu'",
  "timezone = 'America/St_Johns'",
  "statement_timeout = '60ms'",
  "lock_timeout = '5ms'",
  "idle_in_transaction_session_timeout = '150ms'",
  "idle_session_timeout = '150ms'",
  "default_transaction_read_only = on",
  "default_transaction_isolation = 'serializable'",
  "default_transaction_deferrable = on",
  "row_security = off",
  "lc_messages = 'C.UTF-8'",
  "lc_numeric = 'C.UTF-8'",
  "bytea_output = 'escape'",
  "extra_float_digits = '-10'",
  "quote_all_identifiers = on",
  "standard_conforming_strings = off",
  "array_nulls = off",
  "client_min_messages = 'debug2'",
  "xmlbinary = 'hex'",
  "work_mem = '64kB'",
  "enable_seqscan = off",
  "synchronous_commit = off",
] as const;

/** The role of the job, or its database, has settings that the server's default does not have. */
export async function oddSettings({ scenario, place }: Reach): Promise<Hand> {
  const { pick, chance } = choicesOf(scenario.fault.which);
  const { postgres } = place.world;
  const { source } = scenario.job;
  const subjects = [`ROLE keeper`, `DATABASE ${source}`, `ROLE keeper IN DATABASE ${source}`] as const;
  const made = [pick(ODD), ...(chance(0.5) ? [pick(ODD)] : []), ...(chance(0.3) ? [pick(ODD)] : [])].map(
    (setting) => [pick(subjects), setting] as const,
  );
  for (const [subject, setting] of made) await postgres.sql("postgres", `ALTER ${subject} SET ${setting};`);
  const what = made.map(([subject, setting]) => `ALTER ${subject} SET ${setting}`).join("; ");
  return {
    what,
    harmed: [],
    check: (_command, { args, code, stderr }) => {
      if (code === 0) return Promise.resolve([]);
      const detail = `${args.join(" ")} ended with ${String(code)}: ${lastLines(stderr, 5)}`;
      return Promise.resolve([{ promise: "odd settings change no backup and no restore", detail }]);
    },
    remove: async () => {
      for (const subject of subjects) await postgres.sql("postgres", `ALTER ${subject} RESET ALL;`);
    },
  };
}
