/** The rooms of the runner, from the lowest floor to the highest: each imports from its own and from lower ones alone. */
const ROOMS = ["stream", "backups", "run", "operations", "cli"];

/** What may import what, types included. ESLint holds the boundaries between the halves; this holds circles and the rest. */
export default {
  forbidden: [
    {
      name: "no-circular",
      comment: "Move what both need into a module of its own, or merge the two.",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "tools-without-tests",
      comment: "The demo and the benchmarks must not depend on tests.",
      severity: "error",
      // The benchmark of files runs the commands in the sandbox of the tests.
      from: { path: "^tools/", pathNot: "^tools/many-files\\.ts$" },
      to: { path: "^test/" },
    },
    {
      name: "postgres-without-supabase",
      comment: "The kind postgres does not know the kind that builds on it.",
      severity: "error",
      from: { path: "^providers/database/postgres(/|\\.ts$)" },
      to: { path: "^providers/database/supabase(/|\\.ts$)" },
    },
    {
      name: "files-without-stores",
      comment: "A source of files uses the contract of the stores and no store's internals.",
      severity: "error",
      from: { path: "^providers/files/" },
      to: { path: "^providers/storage/", pathNot: "^providers/storage/storage\\.ts$" },
    },
    ...ROOMS.slice(0, -1).map((room, floor) => ({
      name: `runner-${room}`,
      comment: `Move what both need down: ${ROOMS.join(" < ")}.`,
      severity: "error",
      from: { path: `^runner/${room}/` },
      to: { path: `^runner/(${ROOMS.slice(floor + 1).join("|")})/` },
    })),
  ],
  options: {
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    includeOnly: "^(components|providers|runner|tools|test|index\\.ts)",
  },
};
