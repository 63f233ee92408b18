/**
 * Statements that switch a session's timeouts off. A project sets some for its roles or its database, as two minutes for
 * statements of `postgres`, and a backup or a comparison takes longer.
 */
export function noTimeouts(serverMajor: number): string[] {
  const settings = [
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    ...(serverMajor >= 14 ? ["idle_session_timeout"] : []),
    ...(serverMajor >= 17 ? ["transaction_timeout"] : []),
  ];
  return settings.map((name) => `SET ${name} = 0`);
}
