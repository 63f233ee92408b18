/** A message of a server's that has no row's value in the part that is shown. */
interface KnownMessage {
  /** Its SQLSTATE, for programs that do not print it. */
  readonly state: string;
  readonly pattern: RegExp;
  /** What is shown; default: what the pattern matches, which is the beginning of the message. */
  readonly shown?: string;
}

/** A name in quotation marks. */
const QUOTED = '"[^"\n]*"';
/** A name, in quotation marks where SQL needs them. */
const NAME = String.raw`(?:"[^"\n]*"|[\w$.]+)`;
const known = (state: string, pattern: string, shown?: string): KnownMessage => ({
  state,
  pattern: new RegExp(`^${pattern}`),
  ...(shown !== undefined && { shown }),
});

/**
 * The messages that pass, in English; every other one is withheld. What follows the part that a pattern matches is cut off: it
 * may be a value. A name in one of them is that of a definition.
 */
const MESSAGES: readonly KnownMessage[] = [
  known("23505", `duplicate key value violates unique constraint ${QUOTED}`),
  known("23505", `could not create unique index ${QUOTED}`),
  known("23503", `insert or update on table ${QUOTED} violates foreign key constraint ${QUOTED}`),
  known(
    "23503",
    `update or delete on table ${QUOTED} violates foreign key constraint ${QUOTED}(?: on table ${QUOTED})?`,
  ),
  known("23514", `new row for relation ${QUOTED} violates (?:check constraint ${QUOTED}|partition constraint)`),
  known("23514", `check constraint ${QUOTED} of relation ${QUOTED} is violated by some row`),
  known("23514", `no partition of relation ${QUOTED} found for row`),
  known("23514", `value for domain ${NAME} violates check constraint ${QUOTED}`),
  known("23514", `column ${QUOTED} of table ${QUOTED} contains values that violate the new constraint`),
  known("42P17", `empty range bound specified for partition ${QUOTED}$`),
  known("42P17", `partition ${QUOTED} would overlap partition ${QUOTED}$`),
  known("23502", `null value in column ${QUOTED} of relation ${QUOTED} violates not-null constraint`),
  known("23502", `column ${QUOTED} of relation ${QUOTED} contains null values`),
  known("23502", `domain ${NAME} does not allow null values`),
  known("23P01", `conflicting key value violates exclusion constraint ${QUOTED}`),
  known("23P01", `could not create exclusion constraint ${QUOTED}`),
  known("22P02", `invalid input syntax for type [\\w ]+(?=:|$)`),
  known("22P02", `invalid input value for enum ${NAME}(?=:)`),
  known("22P02", "malformed (?:array|record|range|multirange) literal"),
  known("22003", '(?:value )?".*" is out of range for type ([\\w ]+)$', "a value is out of range for type $1"),
  known("22003", "(?:smallint|integer|bigint) out of range$"),
  known("22003", "numeric field overflow$"),
  known("22001", "value too long for type [\\w ]+\\(\\d+\\)$"),
  known("22008", "date/time field value out of range"),
  known("22012", "division by zero$"),
  known("22P04", `missing data for column ${QUOTED}$`),
  known("22P04", "extra data after last expected column$"),
  known("22021", 'invalid byte sequence for encoding "\\w+"'),
  known(
    "22P05",
    'character with byte sequence .* in encoding ("\\w+") has no equivalent in encoding ("\\w+")$',
    "a character of encoding $1 has no equivalent in encoding $2",
  ),
  known("22023", 'invalid snapshot identifier: "[0-9A-F-]+"$'),
  known("42704", 'snapshot "[0-9A-F-]+" does not exist$'),
  known("22023", `extension ${QUOTED} has no installation script nor update path for version ${QUOTED}$`),
  known("42501", "permission denied (?:for|to) [^\n]*$"),
  known(
    "42501",
    "must (?:be (?:owner of|superuser|member of|able to SET ROLE)|have (?:the |CREATE|privileges))[^\n]*$",
  ),
  known("42501", `query would be affected by row-level security policy for table ${QUOTED}$`),
  known("42704", `(?:role|type|tablespace|collation|extension|access method|publication) ${QUOTED} does not exist$`),
  known("42704", `(?:policy|trigger) ${QUOTED} for table ${QUOTED} does not exist$`),
  known("42704", `unrecognized configuration parameter ${QUOTED}$`),
  known("42P01", `relation ${QUOTED} does not exist$`),
  known("3F000", `schema ${QUOTED} does not exist$`),
  known("3D000", `database ${QUOTED} does not exist$`),
  known("42883", "(?:function|operator|procedure|aggregate) [^\n:]* does not exist$"),
  known("42703", `column ${NAME}(?: of relation ${QUOTED})? does not exist$`),
  known("42P07", `relation ${QUOTED} already exists$`),
  known("42P06", `schema ${QUOTED} already exists$`),
  known("42723", `function ${QUOTED} already exists with same argument types$`),
  known("42710", `[a-z ]+ ${NAME}(?: for (?:relation|table) ${QUOTED})? already exists$`),
  known("42601", "syntax error"),
  known("0A000", `extension ${QUOTED} is not available$`),
  known("58P01", `could not (?:open extension control file|access file|load library) ${QUOTED}`),
  known("28P01", `password authentication failed for user ${QUOTED}$`),
  known("28000", `[A-Za-z]+ authentication failed for user ${QUOTED}$`),
  known("28000", "no pg_hba\\.conf entry for [^\n]*$"),
  known("28000", `role ${QUOTED} (?:does not exist|is not permitted to log in)$`),
  known("53300", `too many connections for (?:role|database) ${QUOTED}$`),
  known("53300", "(?:sorry, too many clients already|remaining connection slots are reserved [^\n]*)$"),
  known("57P01", "terminating connection due to administrator command$"),
  known("57P01", "terminating connection due to [a-z -]*timeout$"),
  known("40001", "(?:terminating connection|canceling statement) due to conflict with recovery$"),
  known("57014", "canceling statement due to (?:user request|statement timeout)$"),
  known("55P03", "canceling statement due to lock timeout$"),
  known("55P03", `could not obtain lock on relation ${QUOTED}$`),
  known("57P03", "the database system is [a-z ]+$"),
  known("57P03", `cannot connect to [a-z ]*database ${QUOTED}$`),
  known("55000", `database ${QUOTED} is not currently accepting connections$`),
  known("55006", `database ${QUOTED} is being accessed by other users$`),
  known("40P01", "deadlock detected$"),
  known("22023", 'encoding "\\w+" does not match locale "[\\w.@-]+"$'),
  known("22023", "new (?:encoding|collation|LC_CTYPE) \\([\\w.@-]+\\) is incompatible with [^\n]*$"),
  known("01007", `(?:no|not all) privileges were granted for ${QUOTED}$`),
  known("01006", `(?:no|not all) privileges could be revoked for ${QUOTED}$`),
  known("25006", "cannot execute [A-Z ]+ in a read-only transaction$"),
  known("53200", "out of (?:shared )?memory$"),
  known("53100", `could not (?:extend|write to|write) (?:file|block)[^:\n]*: No space left on device$`),
  known(
    "58030",
    `could not (?:open|read|write|extend|fsync|stat) (?:blocks? [\\d.]+ in )?file "(?:base|global|pg_\\w+)/[^"\n]*"(?:: [A-Z][A-Za-z/ ]+)?$`,
  ),
  known("XX001", "invalid page in block \\d+ of relation [\\w/]+$"),
  known("XX001", `could not read blocks? [\\d.]+ in file ${QUOTED}: read only \\d+ of \\d+ bytes$`),
  known(
    "XX000",
    "(?:missing|unexpected) chunk number \\d+ (?:\\(expected \\d+\\) )?for toast value \\d+ in pg_toast_\\d+$",
  ),
  known("XX001", "compressed (?:pglz|lz4) data is corrupt$"),
  known("XX000", "invalid memory alloc request size \\d+$"),
  known("XX000", "cache lookup failed for [a-z ]+ \\d+$"),
  known("XX000", "could not open relation with OID \\d+$"),
];

/**
 * SQLSTATEs of messages that name an object. Where rows are read, that name may be a value: casts to regclass, regrole and their kin look
 * for what the value names.
 */
const NAMES_OBJECT = /^(?:0A|28|3D|3F|42(?!601)|55|58P01)/;

/**
 * What of a server's message may be shown; undefined for one that is not known.
 *
 * @param ofRows whether the server was reading rows; the text is then {@link WITHHELD} where a name in it may be a value
 */
export function knownMessage(
  message: string,
  ofRows = false,
): { readonly state: string; readonly text: string } | undefined {
  for (const { state, pattern, shown } of MESSAGES) {
    const [text, ...groups] = pattern.exec(message) ?? [];
    if (text === undefined) continue;
    if (ofRows && NAMES_OBJECT.test(state)) return { state, text: WITHHELD };
    return { state, text: shown?.replaceAll(/\$(\d)/g, (_, group: string) => groups[Number(group) - 1] ?? "") ?? text };
  }
  return undefined;
}

/** Appendix A of PostgreSQL's manual: what the first two characters of an SQLSTATE say. */
const CLASSES: Readonly<Record<string, string>> = {
  "01": "warning",
  "02": "no data",
  "08": "connection exception",
  "0A": "feature not supported",
  "22": "data exception",
  "23": "integrity constraint violation",
  "25": "invalid transaction state",
  "28": "invalid authorization",
  "2B": "dependent privileges still exist",
  "38": "external routine exception",
  "39": "external routine invocation exception",
  "3D": "invalid catalog name",
  "3F": "invalid schema name",
  "40": "transaction rollback",
  "42": "syntax error or access rule violation",
  "44": "WITH CHECK OPTION violation",
  "53": "insufficient resources",
  "54": "program limit exceeded",
  "55": "object not in prerequisite state",
  "57": "operator intervention",
  "58": "system error",
  F0: "configuration file error",
  HV: "foreign data wrapper error",
  P0: "raised by a function",
  XX: "internal error of the server",
};

/** An SQLSTATE as people read it: `SQLSTATE 23505, integrity constraint violation`. */
export function describeState(state: string): string {
  const meaning = CLASSES[state.slice(0, 2)];
  return `SQLSTATE ${state}${meaning === undefined ? "" : `, ${meaning}`}`;
}

/** Whether the server's own messages of an SQLSTATE name definitions at most; those of a function may say anything. */
export function namesNoValue(state: string): boolean {
  return /^(?:08|0A|25|28|2B|3D|3F|40|42(?!601)|53|55|57|58)/.test(state);
}

/** Stands in the place of a message that is not known. */
export const WITHHELD = "the server's message is withheld, because it may hold values of rows";
