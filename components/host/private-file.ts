import { basename, dirname } from "node:path";
import { ownFunction, quote, scriptStart } from "./shell.ts";

/**
 * The scripts that write standard input to a file that only its user can read, and that remove it. The file is there whole
 * or not at all; its unfinished form has a fixed name, so that the next run or the removal gets rid of one that was left.
 */
export function privateFileScripts(path: string, user: string | undefined): { create: string; delete: string } {
  const folder = dirname(path);
  const unfinished = `${folder}/.${basename(path)}.new`;
  return {
    // noclobber (-C) refuses a link that somebody has put in the unfinished file's place.
    create: `${scriptStart}
${ownFunction(user)}
file=${quote(path)}
new=${quote(unfinished)}
trap 'rm -f "$new"' EXIT
if [ ! -d ${quote(folder)} ]; then
  mkdir -p ${quote(folder)}
  own ${quote(folder)}
fi
# Nothing is written before all of it is here: a script that is killed while it waits leaves nothing.
content=$(cat)
[ -n "$content" ] || fail "Nothing arrived for $file."
rm -f "$new"
(set -C && printf '%s\\n' "$content" >"$new")
own "$new"
mv -f "$new" "$file"`,
    // The last one out takes the folders along: when they move, they are not removed before what is in them.
    delete: `rm -f ${quote(path)} ${quote(unfinished)}
rmdir ${quote(folder)} ${quote(dirname(folder))} 2>/dev/null || true`,
  };
}
