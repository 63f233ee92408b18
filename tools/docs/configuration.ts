import { z } from "zod";
import { AwsSettings } from "../../components/aws/settings.ts";
import { HostSettings } from "../../components/host/settings.ts";
import { JobConfig } from "../../providers/config.ts";
import { SecretRef } from "../../providers/fields/secret-ref.ts";
import { fieldTables, type Field, type Shape } from "./fields.ts";

/** The schemas of the configuration: their title, and what stands above their fields. */
const SCHEMAS: readonly (readonly [title: string, text: string, schema: z.ZodType])[] = [
  [
    "A job",
    "The entries of `provision:jobs`. A job's file has `stack` beside them; in a stack it follows from the stack's name.",
    JobConfig,
  ],
  ["Secrets", "A reference to a secret is one of these. It is never the secret itself.", SecretRef],
  ["provision:host", "The Linux machine, this one or one that is reached over SSH.", HostSettings],
  ["provision:aws", "The tasks, the bucket and the alarms on AWS.", AwsSettings],
];

/** Every field of the configuration, as tables in Markdown. */
export function configurationTables(): string {
  return SCHEMAS.flatMap(([title, text, schema]) => [
    `## ${title}`,
    text,
    ...fieldTables(z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as Shape).flatMap(
      ({ kind, meaning, fields }) => [
        ...(kind === undefined ? [] : [`### ${kind}`, meaning]),
        ...(fields.length === 0 ? [] : [table(fields)]),
      ],
    ),
  ]).join("\n\n");
}

function table(fields: readonly Field[]): string {
  const rows = fields.map(({ path, type, meaning }) => `| \`${path}\` | ${cell(type)} | ${cell(meaning)} |`);
  return ["| field | value | meaning |", "| --- | --- | --- |", ...rows].join("\n");
}

/** A text for a cell on one line. Outside of backticks, `<app>` would be a tag. */
const cell = (text: string) =>
  text
    .replaceAll("|", "\\|")
    .replaceAll(/\s*\n\s*/g, " ")
    .replaceAll(/`[^`]*`|</g, (found) => (found === "<" ? "\\<" : found));
