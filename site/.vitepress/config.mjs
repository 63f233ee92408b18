import { readFileSync } from "node:fs";
import { GROUPS } from "./pages.mjs";

/** What a page is called: its heading. */
const title = (page) => /^# (.*)$/m.exec(readFileSync(new URL(`../../docs/${page}.md`, import.meta.url), "utf8"))[1];

/** What is outside of docs/ is in the repository alone: on the site, a link there is a text. */
function unlinkOutside({ tokens }) {
  for (const token of tokens) {
    let outside = false;
    token.children &&= token.children.filter((child) => {
      if (child.type === "link_open") outside = child.attrGet("href").startsWith("../");
      return !(outside && child.type.startsWith("link_"));
    });
  }
}

export default {
  title: "Provision",
  description: "Scheduled, verified, restorable backups of PostgreSQL and Supabase",
  // A copy of docs/, which is made before each build: what the pages are compiled to finds Vue beside it.
  srcDir: "pages",
  cleanUrls: true,
  markdown: { config: (md) => md.core.ruler.push("outside", unlinkOutside) },
  themeConfig: {
    search: { provider: "local" },
    outline: "deep",
    nav: [{ text: "A database is lost?", link: "/restore" }],
    sidebar: Object.entries(GROUPS).map(([text, pages]) => ({
      text,
      items: pages.map((page) => ({ text: title(page), link: `/${page}` })),
    })),
  },
};
