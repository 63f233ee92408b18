import { clearLine, cursorTo } from "node:readline";
import type { WriteStream } from "node:tty";
import pino from "pino";
import type { Attributes, RunLog } from "../../providers/monitor/monitor.ts";
import type { Redactor } from "./redact.ts";
import { inJson, onOneLine, withoutControls } from "../../providers/visible.ts";

/** The levels of the log, the least important first. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;

/** Options of {@link openLog}. */
export interface LogOptions {
  /** Lines below this level are left out. */
  readonly level: (typeof LOG_LEVELS)[number];
  /** Facts of every line. */
  readonly base: Attributes;
  readonly redactor: Redactor;
  /** Where the log goes; the standard error of the process. */
  readonly output: WriteStream | NodeJS.WritableStream;
  /** Whether a terminal shows how far a step is. Default true. */
  readonly progress?: boolean;
}

/**
 * Opens the run's log: JSON lines, or text where a terminal reads them. Every line passes the redactor whole, after it was
 * put together, so that no field can be forgotten.
 */
export async function openLog({ level, base, redactor, output, progress = true }: LogOptions): Promise<RunLog> {
  const terminal = "isTTY" in output && output.isTTY ? output : undefined;
  const format = terminal ? await prettyLines() : inJson;
  let status: string | undefined;
  const wipe = () => {
    if (!terminal || status === undefined) return;
    clearLine(terminal, 0);
    cursorTo(terminal, 0);
  };
  const draw = () => {
    if (terminal && status !== undefined) terminal.write(status);
  };
  const logger = pino(
    { level, base, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } },
    {
      write(line: string) {
        wipe();
        // Before, because a secret may have characters that the format changes; and after, because that may put parts together.
        output.write(redactor.redact(format(redactor.redact(line))));
        draw();
      },
    },
  );
  return {
    terminal: terminal !== undefined,
    write(at, message, facts) {
      logger[at](facts, message);
    },
    status(line) {
      if (!progress) return;
      wipe();
      // A line that wraps could not be wiped. A pseudo-terminal may not know its size.
      const { columns = 0 } = terminal ?? {};
      const room = (columns > 0 ? columns : 80) - 1;
      status = line === undefined ? undefined : onOneLine(redactor.redact(line)).slice(0, room);
      draw();
    },
  };
}

async function prettyLines(): Promise<(line: string) => string> {
  const { prettyFactory } = await import("pino-pretty");
  // https://no-color.org: set to anything, it asks for none.
  const colorize = (process.env.NO_COLOR ?? "") === "";
  const pretty = prettyFactory({ translateTime: "SYS:HH:MM:ss", colorize });
  return (line) => {
    try {
      return pretty(withoutControls(JSON.parse(line)));
    } catch {
      // A secret that was a part of the line's own signs.
      return `${onOneLine(line.trimEnd())}\n`;
    }
  };
}
