/** The pages in the order in which they are read, by group. `test/docs/site.test.ts` knows when one is missing. */
export const GROUPS = {
  Begin: ["getting-started", "configuration", "aws", "costs"],
  "What is backed up": ["databases", "supabase", "files", "stores", "encryption", "retention", "renaming-and-removing"],
  "When it matters": [
    "restore",
    "verification-and-drills",
    "report",
    "monitoring",
    "security",
    "guard-rails",
    "commands",
  ],
  "About Provision": ["comparison", "performance", "upgrades", "architecture", "decisions", "extending"],
  "For contributors": ["promises", "imitations", "words"],
};
