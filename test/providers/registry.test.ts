import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { DatabaseConfig, databaseProviders } from "../../providers/database/index.ts";
import { FilesConfig, filesProviders } from "../../providers/files/index.ts";
import { MonitorConfig, monitorProviders } from "../../providers/monitor/index.ts";
import { StorageConfig, storageProviders } from "../../providers/storage/index.ts";

/** What is used of a definition here. */
interface Definition {
  readonly schema: z.ZodObject;
  readonly secrets: readonly string[];
}

/** A family: its folder, its registry, and what its classes are called. */
const families: [string, Readonly<Record<string, Definition>>, z.ZodType, string][] = [
  ["database", databaseProviders, DatabaseConfig, "DatabaseProvider"],
  ["storage", storageProviders, StorageConfig, "StorageProvider"],
  ["files", filesProviders, FilesConfig, "FilesProvider"],
  ["monitor", monitorProviders, MonitorConfig, "TelemetryProvider"],
];

/** What tests the behaviour that all providers of a family have in common. */
const CONTRACTS: Readonly<Record<string, string>> = {
  database: "describeDatabaseContract",
  storage: "describeStorageContract",
  files: "describeFilesContract",
  monitor: "describeMonitorContract",
};

const root = join(import.meta.dirname, "../..");

/** `google-drive` as the name of a variable: `googleDrive`. */
const camelCase = (kind: string) => kind.replaceAll(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

/** `google-drive` as the name of a class: `GoogleDrive`. */
const pascalCase = (kind: string) => camelCase(kind).replace(/^[a-z]/, (letter) => letter.toUpperCase());

/** The kinds of the files that hold a provider: those that export a definition under the name of the file. */
async function kindsInFolder(folder: string): Promise<string[]> {
  const names = readdirSync(folder).filter((name) => name.endsWith(".ts") && statSync(join(folder, name)).isFile());
  const kinds = await Promise.all(
    names.map(async (name) => {
      const kind = name.slice(0, -".ts".length);
      const module = (await import(pathToFileURL(join(folder, name)).href)) as Record<string, unknown>;
      const definition = module[camelCase(kind)];
      return typeof definition === "object" && definition !== null && "schema" in definition ? [kind] : [];
    }),
  );
  return kinds.flat().sort();
}

/** What is used of JSON Schema here. */
interface Shape {
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, Shape>>;
}

/** The fields of a schema that take a reference to a secret, those inside others too: `s3.accessKeyId`. */
function secretFields(schema: z.ZodObject): string[] {
  const below = ({ properties = {} }: Shape, path: string): string[] =>
    Object.entries(properties).flatMap(([name, field]) =>
      field.$ref === "#/$defs/SecretRef" ? [path + name] : below(field, `${path}${name}.`),
    );
  return below(z.toJSONSchema(schema, { io: "input" }) as Shape, "");
}

/** The kinds that the schema of a family takes. */
function kindsInSchema(schema: z.ZodType): string[] {
  const { oneOf = [] } = z.toJSONSchema(schema, { io: "input" });
  return oneOf.map(({ properties = {} }) => String((properties.kind as { const?: string }).const)).sort();
}

describe.each(families)("the %s family", (family, registry, config, suffix) => {
  const folder = join(root, "providers", family);
  const definitions = Object.entries(registry);
  const kinds = definitions.map(([, definition]) => (definition.schema.shape.kind as z.ZodLiteral<string>).value);

  it("has each provider's file in its registry, and nothing else", async () => {
    expect([...kinds].sort()).toEqual(await kindsInFolder(folder));
    expect(kinds.length).toBeGreaterThan(0);
  });

  it("has each provider under its kind", () => {
    // What a configuration calls a kind is how the registry finds it.
    expect(definitions.map(([name]) => name)).toEqual(kinds);
  });

  it("takes the kinds of the registry in a configuration, and no others", () => {
    expect(kindsInSchema(config)).toEqual([...kinds].sort());
  });

  it("has a test for each provider", () => {
    const missing = kinds.filter((kind) => !existsSync(join(root, "test/providers", family, `${kind}.test.ts`)));
    expect(missing).toEqual([]);
  });

  it("runs the family's contract for each provider, in its test or in a file of its own beside it", () => {
    const contract = CONTRACTS[family];
    const without = kinds.filter((kind) => {
      const tests = [`${kind}.test.ts`, `${kind}/contract.test.ts`].map((name) =>
        join(root, "test/providers", family, name),
      );
      const text = tests.map((file) => (existsSync(file) ? readFileSync(file, "utf8") : "")).join("\n");
      return contract !== undefined && !new RegExp(`^${contract}\\(\\s*"${kind}"`, "m").test(text);
    });
    expect(without).toEqual([]);
  });

  it("has a row in the README for each provider", () => {
    const readme = readFileSync(join(root, "README.md"), "utf8");
    const missing = kinds.filter((kind) => !new RegExp(`^\\| ${family} +\\| \`${kind}\` +\\|`, "m").test(readme));
    expect(missing).toEqual([]);
  });

  it("has no test of a provider that there is not", () => {
    const tests = readdirSync(join(root, "test/providers", family)).filter((name) => name.endsWith(".test.ts"));
    const sources = readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) =>
      (name.split("/").at(-1) ?? "").replace(".ts", ""),
    );
    // `filesystem-links.test.ts` tests a part of what `filesystem.ts` does.
    const isOf = (test: string, source: string) => test === source || test.startsWith(`${source}-`);
    expect(tests.filter((name) => !sources.some((source) => isOf(name.replace(".test.ts", ""), source)))).toEqual([]);
  });

  it("names each class, or the function that makes its provider, after its kind", () => {
    const unnamed = kinds.filter((kind) => {
      const own = existsSync(join(folder, kind)) ? readdirSync(join(folder, kind), { encoding: "utf8" }) : [];
      const files = [`${kind}.ts`, ...own.filter((name) => name.endsWith(".ts")).map((name) => join(kind, name))];
      const name = pascalCase(kind);
      const made = new RegExp(`^(export )?(class ${name}${suffix}|function open${name})\\b`, "m");
      return !files.some((file) => made.test(readFileSync(join(folder, file), "utf8")));
    });
    expect(unnamed).toEqual([]);
  });

  it("declares the secrets of each provider, and only those", () => {
    for (const [name, { schema, secrets }] of definitions) {
      expect([...secrets].sort(), name).toEqual(secretFields(schema).sort());
    }
  });
});
