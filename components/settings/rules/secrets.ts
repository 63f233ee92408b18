import { closest, explain, SecretName, Signing, type Problem } from "../../../providers/config.ts";
import { SIGNING_KEY } from "../../signing-key.ts";
import type { RawSettings, Reference } from "../types.ts";
import { references } from "./jobs.ts";
import { isObject, parseJson } from "./raw.ts";

/** Checks `provision:secrets`: names that can be variables, texts that are there, and encrypted. Gives the names. */
export function checkSecrets(raw: RawSettings): { names: string[]; problems: Problem[] } {
  const path = "provision:secrets";
  const setOne = `pulumi config set --secret --path '${path}.appDatabaseUrl'`;
  const value = parseJson(raw.values.get("secrets") ?? "{}");
  if (!isObject(value)) {
    const message = "expected one entry a secret, each a name and a text";
    return { names: [], problems: [{ path, message, fix: `pulumi config rm ${path}\n${setOne}` }] };
  }
  const names = Object.keys(value);
  const problems = names.flatMap((name): Problem[] => {
    const place = `${path}.${name}`;
    if (!SecretName.safeParse(name).success) {
      const message = `"${name}" is no name for a secret; expected a letter, then letters, digits or underscores, 63 at most`;
      return [{ path: place, message, fix: `Rename it in Pulumi.${raw.stack}.yaml, and where jobs refer to it.` }];
    }
    const secret = value[name];
    if (typeof secret === "string" && secret !== "") return [];
    const message = secret === "" ? "the secret is empty" : "expected a text";
    return [{ path: place, message, fix: `pulumi config set --secret --path '${place}'` }];
  });
  if (names.length > 0 && !raw.isSecret("secrets")) {
    problems.push({
      path,
      message: "the secrets are in plain text",
      fix:
        `Replace the values, which may have been seen, and set each encrypted:\n` +
        names.map((name) => `pulumi config set --secret --path '${path}.${name}'`).join("\n"),
    });
  }
  return { names, problems };
}

/** What is wrong with a reference to one of the stack's secrets. */
export function checkReference(path: string, name: string, names: readonly string[]): Problem[] {
  if (names.includes(name)) return [];
  const near = closest(name, names);
  const setIt = `pulumi config set --secret --path 'provision:secrets.${name}'`;
  return [
    {
      path,
      message: `the stack has no secret "${name}"; it has ${names.length === 0 ? "none" : names.join(", ")}`,
      fix: near === undefined ? `Set it: ${setIt}` : `Did you mean ${near}? If not, set it: ${setIt}`,
    },
  ];
}

/** Checks `provision:signing`; without it `pulumi up` makes a key, whose name no other secret may have. */
export function checkSigning(
  raw: RawSettings,
  secretNames: readonly string[],
): { signing: Signing | undefined; problems: Problem[]; references: Reference[] } {
  const path = "provision:signing";
  const text = raw.values.get("signing");
  if (text === undefined) {
    const taken = secretNames.includes(SIGNING_KEY);
    const message = "this is the name of the key that `pulumi up` makes to sign backups";
    const fix = `Rename it in Pulumi.${raw.stack}.yaml. If it is to be that key: pulumi config set --path '${path}.key.secret' <its new name>`;
    const problems = taken ? [{ path: `provision:secrets.${SIGNING_KEY}`, message, fix }] : [];
    return { signing: undefined, problems, references: [] };
  }
  const input = parseJson(text);
  const result = Signing.safeParse(input);
  const problems = result.success ? [] : explain(result.error, Signing, input, path);
  return { signing: result.data, problems, references: references(input, path) };
}
