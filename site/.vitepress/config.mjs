import { GROUPS } from "./pages.mjs";

/** `verification-and-drills` as a title; a name that is an abbreviation is written so. */
const title = (page) =>
  ({ aws: "AWS" })[page] ?? page.replaceAll("-", " ").replace(/^./, (letter) => letter.toUpperCase());

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
    sidebar: Object.entries(GROUPS).map(([text, pages]) => ({
      text,
      items: pages.map((page) => ({ text: title(page), link: `/${page}` })),
    })),
  },
};
