import type { z } from "zod";
import { closest } from "./explain/closest.ts";
import { inYaml, sample } from "./explain/sample.ts";
import { Shapes, type Shape } from "./explain/shape.ts";
import { inWords, joinWords } from "./explain/words.ts";

/** Longest text that is shown whole: enough to find it again in the file. */
const MAX_SHOWN = 48;

/** A field whose name says that a secret is below it. */
const SENSITIVE_NAME = /secret|token|password|passphrase|credential|key/i;

/** Texts that are secrets wherever they stand: private keys, tokens, and connection strings with a password. */
const SECRETS = [
  /AGE-SECRET-KEY-/i,
  /-----BEGIN/,
  /^eyJ[\w-]+\.[\w-]+/,
  /^(sb_secret|sbp|sk|ghp|github_pat|xox[a-z]|ya29|sl)[_.-]/,
  /(password|passwd|pwd|passphrase|secret|token|api_?key)\s*[=:]/i,
  /^[^\s/@]+:(?!\/\/)[^\s@]+@/,
];

/** Whether what stands at a path may be a secret, by the names of the fields on the way. */
function isSensitive(path: readonly PropertyKey[]): boolean {
  return path.some((part) => typeof part === "string" && SENSITIVE_NAME.test(part));
}

/** A value as a message may show it: shortened, and never a secret. */
function show(value: unknown, sensitive: boolean): string {
  if (value === undefined) return "nothing";
  if (value === null) return "nothing (null)";
  if (Array.isArray(value)) {
    if (value.length === 0) return "an empty list";
    return value.length === 1 ? "a list of 1 entry" : `a list of ${value.length} entries`;
  }
  if (typeof value === "object") {
    const names = Object.keys(value);
    if (names.length === 0) return "an empty object";
    const more = names.length > 5 ? ", …" : "";
    return `an object with ${names.slice(0, 5).map(showName).join(", ")}${more}`;
  }
  if (typeof value === "string") return sensitive ? hidden(value) : showText(value);
  return sensitive ? `a ${typeof value} that is not shown` : JSON.stringify(value);
}

/** The name of a field that a person wrote, as a message may show it. */
function showName(name: string): string {
  return /^[\w.-]{1,48}$/.test(name) && !SECRETS.some((secret) => secret.test(name)) ? name : showText(name);
}

function showText(text: string): string {
  if (SECRETS.some((secret) => secret.test(text.trim()))) return hidden(text);
  // A URL without its user, password and parameters. Up to the last @: a password that is not encoded may hold one.
  const safe = text.includes("://") ? text.replace(/:\/\/.*@/s, "://…@").replace(/[?#].*$/s, "?…") : text;
  const shown = safe.length > MAX_SHOWN ? `${safe.slice(0, MAX_SHOWN)}…` : safe;
  return JSON.stringify(shown);
}

function hidden(text: string): string {
  return text === "" ? "an empty text" : `a text of ${text.length} characters that is not shown`;
}

/** One thing that is wrong with a configuration, for the person who wrote it. Holds no secret. */
export interface Problem {
  /** Where: `jobs[0].retention.daily`. */
  readonly path: string;
  /** What is wrong, with the value at fault and what is allowed, to be read after the path. */
  readonly message: string;
  /** What to do, in sentences. */
  readonly fix: string;
}

/**
 * All problems that a schema found in an input, in words.
 *
 * What zod reports is generic (`Invalid input: expected number, received string`); the schema knows more. A message of the
 * schema's own, which starts with `expected `, goes before the generic wording; descriptions and examples become the fix.
 *
 * @param error what parsing the input with the schema reported
 * @param root where the input stands, as the start of each path: `provision:jobs[0]`
 */
export function explain(error: z.ZodError, schema: z.ZodType, input: unknown, root = ""): Problem[] {
  const explainer = new Explainer(new Shapes(schema), input, root);
  return withoutConsequences(error.issues.flatMap((issue) => explainer.explain(issue, [])));
}

/** An example of what a schema allows at a path of an input; undefined where it has none. */
export function exampleAt(schema: z.ZodType, path: Path, input: unknown): unknown {
  const shapes = new Shapes(schema);
  const own = sample(shapes.at(path, input), shapes);
  if (own !== undefined || typeof path.at(-1) !== "number") return own;
  // A list has the example, not its entries.
  const [entry] = exampleAt(schema, path.slice(0, -1), input) as [unknown];
  return entry;
}

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/** A problem, with what tells whether another one says the same. */
interface Finding extends Problem {
  /** The field that was perhaps meant by an unknown one. */
  readonly meant?: string;
  readonly missing?: boolean;
  /** It is about an object as a whole. */
  readonly whole?: boolean;
}

/**
 * A field that is missing because its name is misspelt is one problem, not two. And what an object lacks as a whole is known
 * only when its fields are right.
 */
function withoutConsequences(findings: readonly Finding[]): Problem[] {
  const meant = new Set(findings.map((finding) => finding.meant));
  const faultBelow = (path: string) => findings.some((finding) => finding.path.startsWith(`${path}.`));
  return findings
    .filter((finding) => finding.missing !== true || !meant.has(finding.path))
    .filter((finding) => finding.whole !== true || !faultBelow(finding.path))
    .map(({ path, message, fix }) => ({ path, message, fix }));
}

class Explainer {
  readonly #shapes: Shapes;
  readonly #input: unknown;
  readonly #root: string;

  constructor(shapes: Shapes, input: unknown, root: string) {
    this.#shapes = shapes;
    this.#input = input;
    this.#root = root;
  }

  /** @param base where the issue's own path begins: the issues of a union's alternatives begin at the union */
  explain(issue: Issue, base: Path): Finding[] {
    const path = [...base, ...issue.path];
    const shape = this.#shapes.at(path, this.#input);
    const value = valueAt(this.#input, path);
    if (issue.code === "unrecognized_keys") return issue.keys.map((key) => this.#unknownField(path, key, value));
    if (this.#shapes.isReference(shape)) return this.#reference(issue, path, shape, value);
    if (issue.code === "invalid_union" && issue.errors.length > 0 && value !== undefined && !isEmpty(value)) {
      const meant = meantAlternative(issue.errors);
      if (meant !== undefined) return meant.flatMap((inner) => this.explain(inner, path));
    }
    return [this.#wrongValue(issue, path, shape, value)];
  }

  #wrongValue(issue: Issue, path: Path, shape: Shape, value: unknown): Finding {
    const options = issue.code === "invalid_union" && "options" in issue ? (issue.options ?? []) : [];
    const expected =
      options.length > 0
        ? `expected ${joinWords(
            options.map((option) => JSON.stringify(option)),
            "or",
          )}`
        : issue.message.startsWith("expected ")
          ? issue.message
          : `expected ${inWords(shape, this.#shapes)}`;
    const { description } = shape;
    const about = description === undefined || options.length > 0 ? "" : `About ${fieldOf(path)}: ${description}`;
    const example = this.#example(path, options.length > 0 ? { const: options[0] } : shape);
    if (value === undefined) {
      const fix = sentences(`Add ${fieldOf(path)}${example}.`, about);
      return { path: this.#path(path), message: `is missing; ${expected}`, fix, missing: true };
    }
    const near = typeof value === "string" ? closest(value, options.map(String)) : undefined;
    const action =
      near === undefined
        ? (rewrite(path, shape, value) ??
          `Write ${example === "" ? expected.slice("expected ".length) : `it${example}`}.`)
        : `Did you mean ${JSON.stringify(near)}?`;
    return {
      path: this.#path(path),
      message: `${expected}, got ${show(value, this.#isSensitive(path))}`,
      fix: sentences(action, about),
      whole: issue.code === "custom",
    };
  }

  /** `, for example cron: "0 3 * * *"`, where there is an example. */
  #example(path: Path, shape: Shape): string {
    const example = sample(shape, this.#shapes);
    if (example === undefined) return "";
    const field = typeof path.at(-1) === "string" ? `${fieldOf(path)}: ` : "";
    return `, for example ${field}${inYaml(example)}`;
  }

  #unknownField(path: Path, key: string, value: unknown): Finding {
    const shape = this.#shapes.choose(this.#shapes.at(path, this.#input), value);
    const allowed = this.#shapes
      .alternatives(shape)
      .flatMap((alternative) => Object.keys(alternative.properties ?? {}))
      .filter((name, index, all) => all.indexOf(name) === index);
    const near = closest(
      key,
      allowed.filter((name) => valueAt(value, [name]) === undefined),
    );
    const [parent] = this.#shapes.parentsOf(shape, key);
    const message = `there is no such field; allowed are ${joinWords(allowed, "and")}`;
    const place = this.#path([...path, key]);
    if (near !== undefined) {
      return { path: place, message, fix: `Did you mean ${near}?`, meant: this.#path([...path, near]) };
    }
    if (parent !== undefined) return { path: place, message, fix: `Move it into ${parent}: ${parent}.${key}.` };
    return { path: place, message, fix: `Remove it, or use one of ${joinWords(allowed, "and")}.` };
  }

  #reference(issue: Issue, path: Path, shape: Shape, value: unknown): Finding[] {
    const place = this.#path(path);
    const forms = this.#shapes.alternatives(shape).flatMap(({ properties }) => Object.keys(properties ?? {}));
    const how =
      `Set the secret with: pulumi config set --secret --path 'provision:secrets.NAME', where NAME is a name of your ` +
      `choice, and write ${fieldOf(path)}: { secret: NAME } here.`;
    const expected = `a reference to a secret: ${joinWords(
      forms.map((form) => `{ ${form}: … }`),
      "or",
    )}`;
    if (value === undefined) {
      return [
        {
          path: place,
          message: `is missing; expected ${expected}`,
          fix: sentences(how, shape.description ?? ""),
          missing: true,
        },
      ];
    }
    if (typeof value !== "object" || value === null) {
      const message =
        typeof value === "string"
          ? `a secret must not stand here in plain text; expected ${expected}`
          : `expected ${expected}, got ${show(value, true)}`;
      const seen =
        typeof value === "string" ? "If others may have seen the secret, change it where it comes from." : "";
      return [{ path: place, message, fix: sentences(how, seen) }];
    }
    const given = Object.keys(value);
    const known = given.filter((name) => forms.includes(name));
    if (known.length > 1) {
      const message = `expected only one of ${joinWords(forms, "and")}, got ${joinWords(known, "and")}`;
      return [{ path: place, message, fix: `Keep one of them.` }];
    }
    if (issue.code === "invalid_union" && known.length === 1) {
      const index = forms.indexOf(known[0] ?? "");
      return (issue.errors[index] ?? []).flatMap((inner) => this.explain(inner, path));
    }
    if (given.length > 0) return given.map((name) => this.#unknownField(path, name, value));
    return [{ path: place, message: `expected ${expected}, got ${show(value, true)}`, fix: how }];
  }

  /** Whether the value may be a secret: by the names on the way to it, or because it is part of a reference to one. */
  #isSensitive(path: Path): boolean {
    if (isSensitive(path)) return true;
    return path.some((_, index) => this.#shapes.isReference(this.#shapes.at(path.slice(0, index), this.#input)));
  }

  #path(path: Path): string {
    const text = path
      .map((part) => {
        if (typeof part === "number") return `[${part}]`;
        const name = showName(String(part));
        return name.startsWith('"') ? `[${name}]` : `.${name}`;
      })
      .join("");
    return this.#root === "" ? text.replace(/^\./, "") || "the configuration" : `${this.#root}${text}`;
  }
}

/** An object without a field tells nothing of the alternative that was meant. */
function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

/** Of a union's alternatives the one that the value was meant as: not wrong as a whole, and with the fewest faults. */
function meantAlternative(alternatives: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const possible = alternatives.filter(
    (issues) => !issues.some(({ path, code }) => path.length === 0 && ["invalid_type", "invalid_value"].includes(code)),
  );
  return [...possible].sort((a, b) => a.length - b.length)[0];
}

/** What to change in the notation where that is all that is wrong. */
function rewrite(path: Path, shape: Shape, value: unknown): string | undefined {
  const number = shape.type === "integer" || shape.type === "number";
  if (number && typeof value === "string" && /^-?\d+(\.\d+)?$/.test(value)) return "Write it without quotes.";
  if (shape.type === "boolean" && typeof value === "string") {
    if (/^(true|yes|on)$/i.test(value)) return `Write ${fieldOf(path)}: true, without quotes.`;
    if (/^(false|no|off)$/i.test(value)) return `Write ${fieldOf(path)}: false, without quotes.`;
  }
  if (shape.type === "string" && (typeof value === "number" || typeof value === "boolean"))
    return "Write it in quotes.";
  if (shape.type === "array" && !Array.isArray(value)) return "Put it into a list, even if it is the only entry.";
  return undefined;
}

/** The field's name for a sentence: that of the list for an entry of one. */
function fieldOf(path: Path): string {
  const name = path.findLast((part) => typeof part === "string");
  return name === undefined ? "it" : showName(name);
}

function sentences(...parts: string[]): string {
  return parts.filter((part) => part !== "").join(" ");
}

function valueAt(input: unknown, path: Path): unknown {
  let value = input;
  for (const part of path) value = (value as Record<PropertyKey, unknown> | null | undefined)?.[part];
  return value;
}
