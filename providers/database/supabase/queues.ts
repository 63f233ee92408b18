import type { DatabaseArtifact, Omission } from "../database.ts";
import type { Source } from "../postgres/dump/backup.ts";
import { literal, type RowsStep, rowsPart } from "./rows.ts";

/**
 * pgmq's queues with their messages. In some of its versions a queue's tables belong to the extension, and pg_dump then
 * leaves them out.
 */
export async function queuesPart(source: Source): Promise<{ artifact: DatabaseArtifact; omitted: Omission[] }> {
  const queues = await source.control.query<{ name: string; partitioned: boolean; unlogged: boolean }>(
    "SELECT queue_name AS name, is_partitioned AS partitioned, is_unlogged AS unlogged FROM pgmq.meta ORDER BY queue_name",
  );
  const tables = await source.control.query<{ queue: string; table: string; columns: string; sequence: string | null }>(
    `SELECT queue_name AS queue, c.oid::regclass::text AS table,
       (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
        WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '') AS columns,
       pg_get_serial_sequence(c.oid::regclass::text, 'msg_id') AS sequence
     FROM pgmq.meta JOIN pg_class AS c ON relnamespace = 'pgmq'::regnamespace AND relname IN (lower('q_' || queue_name), lower('a_' || queue_name),
       'q_' || queue_name, 'a_' || queue_name)
     WHERE NOT is_partitioned ORDER BY c.oid`,
  );
  const plain = queues.filter(({ partitioned }) => !partitioned);
  const steps: RowsStep[] = plain.map(({ name, unlogged }) => ({
    sql: `SELECT pgmq.${unlogged ? "create_unlogged" : "create"}(${literal(name)})`,
  }));
  for (const { table, columns, sequence } of tables) {
    steps.push({ copy: `SELECT ${columns} FROM ${table}`, into: `${table} (${columns})` });
    if (sequence === null) continue;
    const [at] = await source.control.query<{ value: string; called: boolean }>(
      `SELECT last_value AS value, is_called AS called FROM ${sequence}`,
    );
    if (at !== undefined) steps.push({ sql: `SELECT setval(${literal(sequence)}, ${at.value}, ${at.called})` });
  }
  const title = `${plain.length} queues of pgmq with their messages and archives`;
  const omitted = queues
    .filter(({ partitioned }) => partitioned)
    .map(({ name }) => ({
      artifact: "queues.sql",
      reason: `The queue ${name} is partitioned, and such queues are not backed up.`,
    }));
  return { artifact: rowsPart(source, "queues.sql", title, steps), omitted };
}
