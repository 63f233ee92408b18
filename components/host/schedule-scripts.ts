import { quote, scriptStart } from "./shell.ts";
import type { SystemdUnits } from "./systemd-units.ts";

/** Seconds for which a script waits for another to be done with a crontab, which takes each well under one. */
const LOCK_SECONDS = 60;

/** What starts the jobs: `auto` takes systemd where it runs, else crontab, else nothing. */
export type Scheduler = "auto" | "systemd" | "crontab" | "none";

/** What the scripts of a schedule need. */
export interface ScheduleScriptArgs {
  /** Name of the units without their endings; also marks the line in the crontab. */
  readonly unit: string;
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
 * The scripts that install and remove a schedule. The first line that `create` prints says how the job is scheduled
 * (`systemd system`, `systemd user`, `crontab` or `none`); each further line is a warning for people.
 */
export function scheduleScripts(args: ScheduleScriptArgs): { create: string; delete: string } {
  const functions = commonFunctions(args.unit, args.user);
  return {
    create: `${functions}
zone=${quote(args.timezone)}
line=${quote(`${args.line} ${mark(args.unit)}`)}
timer=${quote(args.units.timer)}
system_service=${quote(args.units.systemService)}
user_service=${quote(args.units.userService)}
${installFunctions}
how=${quote(args.scheduler)}
if [ "$how" = auto ]; then
  if systemd_runs; then how=systemd; elif command -v crontab >/dev/null; then how=crontab; else how=none; fi
fi
case $how in
  systemd) install_timer; remove_line ;;
  crontab) install_line; remove_timer ;;
  none) remove_line; remove_timer; echo none ;;
esac`,
    delete: `${functions}
remove_timer
remove_line`,
  };
}

/** What marks the line of a schedule in a crontab: a comment for the shell that runs the line. */
function mark(unit: string): string {
  return `# ${unit}`;
}

function commonFunctions(unit: string, user: string | undefined): string {
  return `${scriptStart}
export LC_ALL=C
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

# Reads the crontab: its lines into $lines, those of others into $others. Fails where it cannot be read.
read_tab() {
  if ! lines=$(tab -l 2>/dev/null); then
    lines=
    why=$(tab -l 2>&1 >/dev/null) || case $why in *'no crontab for'* | *'No such file'*) ;; *) return 1 ;; esac
  fi
  others=$(printf '%s\\n' "$lines" | awk -v mark=${quote(mark(unit))} 'substr($0, length($0) - length(mark)) != " " mark')
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
  printf '%s' "$2" >"$units/.$1.new"
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
