import { commandLine } from "./command-line.ts";
import { EXIT } from "./exit-codes.ts";

// Help and version were asked for; anything else is wrong usage, which commander has explained.
await commandLine(({ exitCode }) => process.exit(exitCode === 0 ? EXIT.done : EXIT.config)).parseAsync();
