/** Quotes a value as one word of a POSIX shell. */
export function quote(value: string): string {
  return `'${value.replaceAll("'", `'\\''`)}'`;
}

/** What every script begins with: it ends at the first error, and what it writes is for its user alone. */
export const scriptStart = `set -eu
umask 077
fail() { printf '%s\\n' "$@" >&2; exit 1; }`;

/**
 * Shell function `own PATH…`: gives files, and all that is in folders, to the user that runs the backups. Does nothing when that
 * is the one who runs the script; `fail`s where the script's user may not do it. Links are not followed.
 */
export function ownFunction(user: string | undefined): string {
  if (user === undefined) return "own() { :; }";
  return `user=${quote(user)}
own() {
  if [ "$user" = "$(id -un)" ]; then return 0; fi
  id -u "$user" >/dev/null 2>&1 || fail "There is no user $user on $(hostname): create it, or change provision:host.user."
  [ "$(id -u)" = 0 ] || fail "$(id -un) cannot set up backups that run as $user: connect as root, or leave provision:host.user out."
  chown -hR "$user:" "$@"
}`;
}
