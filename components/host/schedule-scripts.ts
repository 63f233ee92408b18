import { ownerFunctions, type Owner } from "./owner.ts";
import { quote, scriptStart } from "./shell.ts";
import type { SystemdUnits } from "./systemd-units.ts";

/** Seconds for which a script waits for another to be done with a crontab, which takes each well under one. */
const LOCK_SECONDS = 60;

/** What starts the jobs: `auto` takes systemd where it runs, else crontab, else nothing. */
export type Scheduler = "auto" | "systemd" | "crontab" | "none";

/** What the scripts of a schedule need. */
export interface ScheduleScriptArgs {
  /** Name of the units without their endings; also stands in the line's mark in the crontab. */
  readonly unit: string;
  readonly owner: Owner;
  readonly units: SystemdUnits;
  /** The line for the crontab, without the mark. */
  readonly line: string;
  /** IANA time zone of the schedule. */
  readonly timezone: string;
  readonly scheduler: Scheduler;
  /** The user whose crontab it is. Default: the one who connects. */
  readonly user?: string;
}

/**
 * The scripts that install and remove a schedule: `create` refuses one that another owner has, and `delete` removes none but its own.
 * The first line that `create` and `update` print says how the job is scheduled (`systemd system`, `systemd user`, `crontab` or
 * `none`); each further line is a warning for people.
 */
export function scheduleScripts(args: ScheduleScriptArgs): { create: string; update: string; delete: string } {
  const install = (known: boolean) => `${commonFunctions(args, known)}
zone=${quote(args.timezone)}
line=${quote(args.line)}" # $unit $mark"
timer=${quote(args.units.timer)}
system_service=${quote(args.units.systemService)}
user_service=${quote(args.units.userService)}
${installFunctions}
how=${quote(args.scheduler)}
if [ "$how" = auto ]; then
  if systemd_runs; then how=systemd; elif command -v crontab >/dev/null; then how=crontab; else how=none; fi
fi
fix='Give the stack or the job another name.'
claim "The timer $unit.timer" "$(timer_mark)" "$fix"
claim "The line of $unit in the crontab of $user" "$(line_mark)" "$fix"
case $how in
  systemd) install_timer; remove_line ;;
  crontab) install_line; remove_timer ;;
  none) remove_line; remove_timer; echo none ;;
esac`;
  return {
    create: install(false),
    update: install(true),
    delete: `${commonFunctions(args, true)}
if holds "$(timer_mark)"; then remove_timer; fi
if holds "$(line_mark)"; then remove_line; fi`,
  };
}

function commonFunctions({ unit, user, owner }: ScheduleScriptArgs, known: boolean): string {
  return `${scriptStart}
export LC_ALL=C
${ownerFunctions(owner, known)}
unit=${quote(unit)}
user=${user === undefined ? "$(id -un)" : quote(user)}
if [ "$(id -u)" = 0 ]; then
  units=/etc/systemd/system
  control() { systemctl "$@"; }
else
  units=$HOME/.config/systemd/user
  export XDG_RUNTIME_DIR="\${XDG_RUNTIME_DIR:-/run/user/$(id -u)}"
  control() { systemctl --user "$@"; }
fi
tab() { if [ "$user" = "$(id -un)" ]; then crontab "$@"; else crontab -u "$user" "$@"; fi; }

# Keeps other scripts from a crontab until this one ends: Pulumi runs several at a time, and each writes back what it has read.
# Everybody can read the root folder, and nobody replaces it.
lock_tab() {
  command -v flock >/dev/null || return 0
  exec 9</
  waited=0
  until flock -n 9; do
    waited=$((waited + 1))
    [ "$waited" -le ${LOCK_SECONDS} ] || fail "Another program has kept the crontabs of $(hostname) locked for ${LOCK_SECONDS} seconds (flock /)." "End it, and run pulumi up again."
    sleep 1
  done
}

# Reads the crontab: its lines into $lines, those of other units into $others. Fails where it cannot be read.
read_tab() {
  if ! lines=$(tab -l 2>/dev/null); then
    lines=
    why=$(tab -l 2>&1 >/dev/null) || case $why in *'no crontab for'* | *'No such file'*) ;; *) return 1 ;; esac
  fi
  others=$(of_unit 0)
}
# Prints the owners of the lines of this unit, or with 0 all other lines. A line ends in the unit, and in its owner's mark.
of_unit() {
  printf '%s\\n' "$lines" | awk -v unit="$unit" -v ours="$1" '
    { own = 0; owner = "-" }
    match($0, / # [^ ]+( [0-9a-f]+[.][0-9a-f]+ [^ ]+)?$/) {
      parts = split(substr($0, RSTART + 3), part, " ")
      own = part[1] == unit
      if (parts > 1) owner = part[2] " " part[3]
    }
    own == ours { if (own) print owner; else print }'
}
# Prints the mark of this unit's line in the crontab; of a crontab that this user may not read, it has none.
line_mark() {
  if command -v crontab >/dev/null && read_tab; then of_unit 1 | tail -n 1; fi
}
timer_mark() {
  for file in "$units/$unit.timer" "$units/$unit.service"; do
    [ -e "$file" ] || continue
    found=$(sed -n 's/^# Owner: //p' "$file")
    echo "\${found:--}"
    return 0
  done
}
remove_line() {
  command -v crontab >/dev/null || return 0
  lock_tab
  # Where this user may not read the crontab, no line of this stack can be in it.
  read_tab || return 0
  [ "$others" != "$lines" ] || return 0
  if [ -n "$others" ]; then printf '%s\\n' "$others" | tab -; else tab -r; fi
}
remove_timer() {
  [ -e "$units/$unit.timer" ] || [ -e "$units/$unit.service" ] || return 0
  control disable --now "$unit.timer" >&2 || true
  control stop "$unit.service" >&2 || true
  rm -f "$units/$unit.timer" "$units/$unit.service"
  control daemon-reload >&2 || true
}`;
}

const installFunctions = `systemd_runs() { [ -d /run/systemd/system ] && control show-environment >/dev/null 2>&1; }
put() {
  printf '# Owner: %s\\n%s' "$mark" "$2" >"$units/.$1.new"
  chmod 644 "$units/.$1.new"
  mv -f "$units/.$1.new" "$units/$1"
}
install_timer() {
  mkdir -p "$units"
  if [ "$(id -u)" = 0 ]; then put "$unit.service" "$system_service"; else put "$unit.service" "$user_service"; fi
  put "$unit.timer" "$timer"
  # The restart makes a changed calendar count at once.
  control daemon-reload >&2 && control enable "$unit.timer" >&2 && control restart "$unit.timer" >&2 || {
    rm -f "$units/$unit.timer" "$units/$unit.service"
    fail "systemd on $(hostname) did not take $unit.timer; the reason is above." "Repair it, or set provision:host.scheduler to crontab or none."
  }
  if [ "$(id -u)" = 0 ]; then echo 'systemd system'; return; fi
  echo 'systemd user'
  if [ "$(loginctl show-user "$user" --property=Linger --value 2>/dev/null)" != yes ] && ! loginctl enable-linger 2>/dev/null; then
    echo "The timers of $user stop when $user logs out. Run this once on $(hostname): sudo loginctl enable-linger $user"
  fi
}
# Whether the machine's clock on the wall is the schedule's, today and in each of the weeks of more than a year.
same_zone() {
  # For date, a zone that the machine does not know is UTC.
  case $zone in UTC | Etc/UTC) ;; *) [ -e "/usr/share/zoneinfo/$zone" ] || return 1 ;; esac
  moment=$(date +%s)
  end=$((moment + 60 * 604800))
  while [ "$moment" -lt "$end" ]; do
    [ "$(TZ=$zone date -d "@$moment" +%z)" = "$(unset TZ && date -d "@$moment" +%z)" ] || return 1
    moment=$((moment + 604800))
  done
}
cron_runs() {
  for name in /proc/[0-9]*/comm; do
    { read -r name <"$name"; } 2>/dev/null || continue
    case $name in cron | crond | fcron) return 0 ;; esac
  done
  return 1
}
install_line() {
  command -v crontab >/dev/null || fail "There is no crontab on $(hostname): install cron, or set provision:host.scheduler to none."
  same_zone || fail "The crontab of $(hostname) reads times in the machine's zone, $(readlink -f /etc/localtime | sed 's|.*/zoneinfo/||'), and not in $zone." "Set the job's schedule.timezone to the machine's zone and its cron to that zone's time, or use a machine with systemd."
  lock_tab
  read_tab || fail "$(id -un) cannot read the crontab of $user on $(hostname): $why"
  { [ -z "$others" ] || printf '%s\\n' "$others"; printf '%s\\n' "$line"; } | tab -
  echo crontab
  cron_runs || echo "No cron daemon runs on $(hostname), so nothing starts the job. Start it, for instance with: sudo service cron start"
}`;
