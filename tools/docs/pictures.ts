import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { instance } from "@viz-js/viz";
import { ROOT } from "../tests/imports.ts";

/** Light or dark as the reader's screen, on a background of its own: so it is legible on every page. */
const STYLE = `<style>
  svg { color-scheme: light dark; background: #fff; }
  text { fill: #1f2328; }
  .node text:first-of-type { font-weight: bold; }
  .node path, .node polygon { fill: #f6f8fa; stroke: #59636e; }
  .main path { fill: #ddf4ff; stroke: #0969da; }
  .edge path { stroke: #59636e; }
  .edge polygon { fill: #59636e; stroke: #59636e; }
  .cluster path { fill: none; stroke: #59636e; stroke-dasharray: 4; }
  @media (prefers-color-scheme: dark) {
    svg { background: #161b22; }
    text { fill: #f0f6fc; }
    .node path, .node polygon { fill: #21262d; stroke: #9198a1; }
    .main path { fill: #0c2d6b; stroke: #58a6ff; }
    .edge path, .cluster path { stroke: #9198a1; }
    .edge polygon { fill: #9198a1; stroke: #9198a1; }
  }
</style>`;

const FONT = "Helvetica,Arial,sans-serif";

/** The pictures of the documentation: each `docs/pictures/NAME.dot`, drawn by Graphviz as `NAME.svg` beside it. */
export async function pictures(): Promise<{ readonly path: string; readonly text: string }[]> {
  const graphviz = await instance();
  return globSync("docs/pictures/*.dot", { cwd: ROOT })
    .sort()
    .map((path) => {
      const svg = graphviz.renderString(readFileSync(join(ROOT, path), "utf8"), {
        format: "svg",
        graphAttributes: {
          ...{ bgcolor: "transparent", fontname: FONT, fontsize: 13 },
          ...{ labeljust: "l", pad: 0.2, style: "rounded" },
        },
        nodeAttributes: { fontname: FONT, fontsize: 13, shape: "box", style: "rounded,filled", margin: "0.3,0.08" },
        edgeAttributes: { fontname: FONT, fontsize: 12, arrowsize: 0.8 },
      });
      const drawing = svg.slice(svg.indexOf("<svg")).replace(/(?<=^<svg[^>]*>)/, `\n${STYLE}`);
      return { path: path.replace(/dot$/, "svg"), text: drawing };
    });
}
