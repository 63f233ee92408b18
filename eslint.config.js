import { defineConfig, globalIgnores } from "eslint/config";
import tseslint from "typescript-eslint";

/** Forbids imports that match `group`, with a message that says what to do instead. */
function forbid(group, message) {
  return { group, message };
}

const noPulumi = forbid(["@pulumi/*"], "The run-time half never imports @pulumi: a backup must not pay for it.");
const noRunner = forbid(["**/runner/**"], "Providers and components do not know the runner.");
const noComponents = forbid(["**/components/**"], "The run-time half does not know the deploy-time half.");
const noProviders = forbid(["**/providers/**"], "What judges the runner shares no code with it.");
const onlyContract = forbid(
  [
    "**/providers/*",
    "!**/providers/*/",
    "**/providers/*/*",
    ...["config", "environment", "fields/cadence", "fields/cron", "layout"].map((name) => `!**/providers/${name}.ts`),
    "!**/providers/*/index.ts",
  ],
  "The deploy-time half imports only providers/config.ts, environment.ts, layout.ts, fields/cadence.ts, fields/cron.ts and each family's index.ts.",
);
const noSupabase = forbid(["**/supabase/**"], "A plain PostgreSQL does not know Supabase, which builds on it.");
/** SDKs are loaded with `await import()` inside a provider, so that a run pays only for the providers that it uses. */
const lazySdks = forbid(
  ["pg", "pino", "pino-pretty", "@aws-sdk/*", "@supabase/*", "/dropbox", "@googleapis/*", "@sentry/*"],
  "Load an SDK with a dynamic import() inside the provider; a type import is fine.",
);

function boundaries(files, patterns, allowTypeImports = false) {
  return {
    files,
    rules: {
      "@typescript-eslint/no-restricted-imports": [
        "error",
        { patterns: patterns.map((pattern) => ({ allowTypeImports, ...pattern })) },
      ],
    },
  };
}

export default defineConfig(
  globalIgnores(["node_modules/", "dist/", "docs/api/", "site/"]),
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  tseslint.configs.strictTypeChecked,
  tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: {
          allowDefaultProject: [
            "eslint.config.js",
            ".dependency-cruiser.js",
            "runner/cli.js",
            "runner/compile.js",
            "policy/index.js",
            "plugin/index.js",
          ],
        },
      },
    },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
    },
  },
  boundaries(["providers/**/*.ts"], [noPulumi, noRunner, noComponents, lazySdks], true),
  boundaries(
    ["providers/database/postgres/**/*.ts"],
    [noPulumi, noRunner, noComponents, lazySdks, { ...noSupabase, allowTypeImports: false }],
    true,
  ),
  boundaries(["runner/**/*.ts"], [noPulumi, noComponents], true),
  boundaries(["components/**/*.ts", "index.ts", "examples/**/*.ts"], [onlyContract, noRunner]),
  boundaries(["test/faults/random/**/*.ts"], [noRunner, noProviders]),
  {
    files: ["eslint.config.js", ".dependency-cruiser.js", "runner/*.js", "policy/index.js", "plugin/index.js"],
    extends: [tseslint.configs.disableTypeChecked],
  },
);
