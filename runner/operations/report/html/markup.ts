import { onOneLine } from "../../../../providers/visible.ts";

/** HTML that may stand in a page as it is. Only {@link html} makes it, so that no text gets into a page unescaped. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Part = Markup | string | number | readonly Markup[];

const ESCAPED: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Makes HTML of a template whose text parts are escaped, control characters and such that turn the direction of a text too. */
export function html(template: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return new Markup(template.map((text, index) => text + (index < parts.length ? shown(parts[index]) : "")).join(""));
}

/** Nothing, or some markup where a condition holds. */
export function when(condition: boolean, make: () => Markup): Markup {
  return condition ? make() : new Markup("");
}

function shown(part: Part | undefined): string {
  if (part instanceof Markup) return part.text;
  if (typeof part === "object") return part.map(({ text }) => text).join("");
  return onOneLine(String(part)).replace(/[&<>"']/g, (character) => ESCAPED[character] ?? "");
}
