/** What a pair of units runs, and when. */
export interface SystemdUnitsArgs {
  /** For people, on one line. */
  readonly description: string;
  /** Program and arguments; the program's path is absolute. */
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Folders that a run may write to; everything else is read-only to it. */
  readonly writable: readonly string[];
  /** The user of a system unit. Default: root. */
  readonly user?: string;
  /** Minutes after which the run ends itself. */
  readonly timeoutMinutes: number;
  /** Expressions for `OnCalendar=`, joined by "or". */
  readonly calendar: readonly string[];
}

/** The text of the units: the same timer, and a service for the system's manager and for a user's. */
export interface SystemdUnits {
  readonly timer: string;
  readonly systemService: string;
  readonly userService: string;
}

/** The run ends itself at its time limit; this much later, in seconds, systemd ends one that has not. */
const timeoutSlack = 300;

/** How long, in seconds, a run may take to end after SIGTERM: it has uploads to abort at stores that may be slow. */
const stopTimeout = 120;

/** Renders the units of a timer. */
export function renderSystemdUnits(args: SystemdUnitsArgs): SystemdUnits {
  // A private /tmp would hide backups, or a program, that live there.
  const usesTmp = [...args.writable, ...args.command].some((path) => /^\/(var\/)?tmp(\/|$)/.test(path));
  const hardening = [
    `PrivateTmp=${usesTmp ? "no" : "yes"}`,
    "PrivateDevices=yes",
    "ProtectSystem=strict",
    // Without a private one, scratch files need the machine's own.
    `ReadWritePaths=${[...args.writable, ...(usesTmp ? ["/tmp", "/var/tmp"] : [])].map(word).join(" ")}`,
    "ProtectControlGroups=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
  ];
  const online = ["Wants=network-online.target", "After=network-online.target"];
  return {
    timer: unit([
      "[Unit]",
      `Description=Schedule of ${args.description}`,
      "",
      "[Timer]",
      ...args.calendar.map((expression) => `OnCalendar=${expression}`),
      "Persistent=true",
      "AccuracySec=1s",
      "",
      "[Install]",
      "WantedBy=timers.target",
    ]),
    systemService: service(args, online, [...(args.user === undefined ? [] : [`User=${args.user}`]), ...hardening]),
    // A user's manager can make private mounts only where the kernel lets everybody make namespaces: it does without.
    userService: service(args, [], []),
  };
}

function service(args: SystemdUnitsArgs, dependencies: readonly string[], extra: readonly string[]): string {
  return unit([
    "[Unit]",
    `Description=${args.description}`,
    ...dependencies,
    "",
    "[Service]",
    "Type=oneshot",
    ...Object.entries(args.environment).map(([name, value]) => `Environment=${word(`${name}=${value}`)}`),
    // In a command line, unlike elsewhere, a dollar sign stands for a variable.
    `ExecStart=${args.command.map((argument) => word(argument).replaceAll("$", "$$$$")).join(" ")}`,
    `TimeoutStartSec=${args.timeoutMinutes * 60 + timeoutSlack}`,
    `TimeoutStopSec=${stopTimeout}`,
    "KillMode=mixed",
    "UMask=0077",
    "NoNewPrivileges=yes",
    ...extra,
  ]);
}

function unit(lines: readonly string[]): string {
  return `# Written by pulumi up, which overwrites changes made here.\n${lines.join("\n")}\n`;
}

/** One word of a unit file: quoted, and with the per cent sign that begins a specifier doubled. */
function word(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("%", "%%")}"`;
}
