import { explain, Signing, type Problem } from "../../../providers/config.ts";
import { SIGNING_KEY } from "../../signing-key.ts";
import { references, type Reference } from "./jobs.ts";
import { parseJson, type RawSettings } from "./raw.ts";

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
