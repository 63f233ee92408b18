import { readFileSync } from "node:fs";
import { GROUPS } from "./pages.mjs";

/** What a page is called: its heading. */
const title = (page) => /^# (.*)$/m.exec(readFileSync(new URL(`../../docs/${page}.md`, import.meta.url), "utf8"))[1];

export default {
  title: "Provision",
  description: "Scheduled, verified, restorable backups of PostgreSQL and Supabase",
  // A copy of docs/, which is made before each build: what the pages are compiled to finds Vue beside it.
  srcDir: "pages",
  cleanUrls: true,
  // What is outside of docs/ is in the repository alone.
  ignoreDeadLinks: [/\.\.\//],
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
