/** A configuration that a person got wrong, and the message for it. */
export interface Mistake {
  readonly name: string;
  /** What is changed in {@link rightConfig}. */
  readonly change: Readonly<Record<string, unknown>>;
  /** Default `dev`. */
  readonly stack?: string;
  /** The secrets stand there in plain text. */
  readonly plainSecrets?: boolean;
  /** What is said of each problem, in order. */
  readonly problems: readonly string[];
}

/** What stands for a secret in the configurations; no message may show it. */
export const MISTAKE_MARKER = "m1stake-m4rker";

const job = {
  name: "app",
  schedule: { cron: "0 3 * * *" },
  database: { kind: "postgres", url: { secret: "appUrl" } },
  destinations: [{ kind: "filesystem" }],
};

/** A configuration with nothing wrong. The keys are without their namespace. */
export const rightConfig: Readonly<Record<string, unknown>> = {
  target: "host",
  secrets: { appUrl: `postgres://u:${MISTAKE_MARKER}@db/app` },
  jobs: [job],
  host: {},
};

const withJob = (change: Readonly<Record<string, unknown>>) => ({ jobs: [{ ...job, ...change }] });
const withCron = (cron: unknown) => withJob({ schedule: { cron } });
const withUrl = (url: unknown) => withJob({ database: { kind: "postgres", url } });

/** Configurations with mistakes. */
export const mistakes: readonly Mistake[] = [
  {
    name: "no job",
    change: { jobs: [] },
    problems: [
      "provision:jobs: there is no job\n" +
        "Write one in Pulumi.dev.yaml:\n" +
        "  provision:jobs:\n" +
        "    - name: app\n" +
        '      schedule: { cron: "0 3 * * *" }\n' +
        "      database: { kind: postgres, url: { secret: appDatabaseUrl } }\n" +
        "      destinations: [{ kind: filesystem }]",
    ],
  },
  {
    name: "jobs that are no list",
    change: { jobs: { app: job } },
    problems: [
      "provision:jobs: expected a list of jobs\n" +
        "Write one in Pulumi.dev.yaml:\n" +
        "  provision:jobs:\n" +
        "    - name: app\n" +
        '      schedule: { cron: "0 3 * * *" }\n' +
        "      database: { kind: postgres, url: { secret: appDatabaseUrl } }\n" +
        "      destinations: [{ kind: filesystem }]",
    ],
  },
  {
    name: "a job that is only a name",
    change: { jobs: ["app"] },
    problems: [
      'provision:jobs[0]: expected an object with name, database and destinations, got "app"\n' +
        "Write it, for example { name: app, database: { kind: postgres, url: { secret: appDatabaseUrl } }, destinations: [{ kind: filesystem }] }.",
    ],
  },
  {
    name: "an unknown key of the stack",
    change: { job: [job] },
    problems: [
      "provision:job: there is no such key; allowed are target, jobs, secrets, signing, host, aws\n" +
        "Did you mean provision:jobs? Rename it in Pulumi.dev.yaml.",
    ],
  },
  {
    name: "an unknown target",
    change: { target: "azure" },
    problems: [
      'provision:target: "azure" is no target; allowed are host and aws\n' + "pulumi config set provision:target host",
    ],
  },
  {
    name: "a stack whose name cannot be a folder",
    change: {},
    stack: "Dev_1",
    problems: [
      "stack: the stack's name \"Dev_1\" becomes a folder of the backups; expected 1 to 40 lower-case letters, digits and '-', not at the ends\n" +
        "Rename it: pulumi stack rename dev-1",
    ],
  },
  {
    name: "secrets in plain text",
    change: {},
    plainSecrets: true,
    problems: [
      "provision:secrets: the secrets are in plain text\n" +
        "Replace the values, which may have been seen, and set each encrypted:\n" +
        "pulumi config set --secret --path 'provision:secrets.appUrl'",
    ],
  },
  {
    name: "a secret that is empty",
    change: { secrets: { appUrl: "" } },
    problems: [
      "provision:secrets.appUrl: the secret is empty\n" +
        "pulumi config set --secret --path 'provision:secrets.appUrl'",
    ],
  },
  {
    name: "a secret whose name cannot be a variable's",
    change: { secrets: { appUrl: MISTAKE_MARKER, "web-url": MISTAKE_MARKER } },
    problems: [
      'provision:secrets.web-url: "web-url" is no name for a secret; expected a letter, then letters, digits or underscores, 63 at most\n' +
        "Rename it in Pulumi.dev.yaml, and where jobs refer to it.",
    ],
  },
  {
    name: "secrets that are one text",
    change: { secrets: MISTAKE_MARKER },
    problems: [
      "provision:secrets: expected one entry a secret, each a name and a text\n" +
        "pulumi config rm provision:secrets\n" +
        "pulumi config set --secret --path 'provision:secrets.appDatabaseUrl'",
      'provision:jobs[0].database.url.secret: the stack has no secret "appUrl"; it has none\n' +
        "Set it: pulumi config set --secret --path 'provision:secrets.appUrl'",
    ],
  },
  {
    name: "a password where a reference belongs",
    change: withUrl(`postgres://u:${MISTAKE_MARKER}@db/app`),
    problems: [
      "provision:jobs[0].database.url: a secret must not stand here in plain text; expected a reference to a secret: { secret: … }, { env: … }, { file: … }, { arn: … } or { ssm: … }\n" +
        "Set the secret with: pulumi config set --secret --path 'provision:secrets.NAME', where NAME is a name of your choice, and write url: { secret: NAME } here. If others may have seen the secret, change it where it comes from.",
    ],
  },
  {
    name: "a reference to a secret that is misspelt",
    change: withUrl({ secret: "appUlr" }),
    problems: [
      'provision:jobs[0].database.url.secret: the stack has no secret "appUlr"; it has appUrl\n' +
        "Did you mean appUrl? If not, set it: pulumi config set --secret --path 'provision:secrets.appUlr'",
    ],
  },
  {
    name: "a reference to a secret that nobody set",
    change: withUrl({ secret: "billing" }),
    problems: [
      'provision:jobs[0].database.url.secret: the stack has no secret "billing"; it has appUrl\n' +
        "Set it: pulumi config set --secret --path 'provision:secrets.billing'",
    ],
  },
  {
    name: "a reference of an unknown form",
    change: withUrl({ vault: "app" }),
    problems: [
      "provision:jobs[0].database.url.vault: there is no such field; allowed are secret, env, file, arn and ssm\n" +
        "Remove it, or use one of secret, env, file, arn and ssm.",
    ],
  },
  {
    name: "a secret of AWS on a host",
    change: withUrl({ arn: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app" }),
    problems: [
      "provision:jobs[0].database.url.arn: a secret of AWS Secrets Manager cannot be read on the target host\n" +
        "Use a secret of the stack, { secret: name }, or a file on the machine, { file: /path }.",
    ],
  },
  {
    name: "an unknown way to log in",
    change: withJob({ database: { kind: "postgres", url: { secret: "appUrl" }, auth: "iam" } }),
    problems: [
      'provision:jobs[0].database.auth: expected rds-iam, or { kind: rds-iam, resourceId: db-…, user: … }, got "iam"\n' +
        "Write it, for example auth: rds-iam. About auth: How the role proves who it is. `rds-iam`: with a token of Amazon RDS that is made for each new connection, so the URL has no password. On AWS write `{ kind: rds-iam, resourceId: db-…, user: … }`, by which the task's role may connect as that one user. Default: with the password in the URL.",
    ],
  },
  {
    name: "a root certificate by a relative path",
    change: withJob({ database: { kind: "postgres", url: { secret: "appUrl" }, rootCertificate: "ca.pem" } }),
    problems: [
      'provision:jobs[0].database.rootCertificate: expected the absolute path of a file, rds or system, got "ca.pem"\n' +
        "Write it, for example rootCertificate: rds. About rootCertificate: Authorities that the server's certificate is verified with in full (sslmode=verify-full): `rds` for Amazon's of RDS, which Provision brings; `system` for the operating system's; or the absolute path of a file in PEM form on the runner's machine. An sslrootcert in the URL counts before this. Default with `auth`, or with a secret as RDS writes it: rds.",
    ],
  },
  {
    name: "a parameter of AWS on a host",
    change: withUrl({ ssm: "/app/url" }),
    problems: [
      "provision:jobs[0].database.url.ssm: a parameter of AWS Systems Manager cannot be read on the target host\n" +
        "Use a secret of the stack, { secret: name }, or a file on the machine, { file: /path }.",
    ],
  },
  {
    name: "a misspelt field",
    change: withJob({ retension: { last: 7 } }),
    problems: [
      "provision:jobs[0].retension: there is no such field; allowed are name, rename, schedule, database, files, destinations, encryption, signing, compression, retention, verify, objectives, anomalies, timeoutMinutes, prune, drill, report and monitor\n" +
        "Did you mean retention?",
    ],
  },
  {
    name: "no database",
    change: { jobs: [{ name: "app", destinations: [{ kind: "filesystem" }] }] },
    problems: [
      'provision:jobs[0].database: is missing; expected an object with kind "postgres" or "supabase"\n' +
        "Add database, for example database: { kind: postgres, url: { secret: appDatabaseUrl } }. About database: What is backed up.",
    ],
  },
  {
    name: "an unknown kind of database",
    change: withJob({ database: { kind: "postgress", url: { secret: "appUrl" } } }),
    problems: [
      'provision:jobs[0].database.kind: expected "postgres" or "supabase", got "postgress"\n' +
        'Did you mean "postgres"?',
    ],
  },
  {
    name: "an unknown kind of destination",
    change: withJob({ destinations: [{ kind: "filesytem" }] }),
    problems: [
      'provision:jobs[0].destinations[0].kind: expected "filesystem", "s3", "dropbox", "google-drive" or "supabase", got "filesytem"\n' +
        'Did you mean "filesystem"?',
    ],
  },
  {
    name: "no destination",
    change: withJob({ destinations: [] }),
    problems: [
      "provision:jobs[0].destinations: expected a list of 1 to 8 entries, got an empty list\n" +
        "Write it, for example destinations: [{ kind: filesystem }]. About destinations: Where backups are kept: each destination gets a whole copy, all in one pass.",
    ],
  },
  {
    name: "a relative path",
    change: withJob({ destinations: [{ kind: "filesystem", path: "backups" }] }),
    problems: [
      "provision:jobs[0].destinations[0].path: expected an absolute path, which starts with '/', got \"backups\"\n" +
        "Write it, for example path: /srv/backups. About path: Absolute path of the folder. It is made if it does not exist, for its owner alone. Left out: a folder of the stack's own on the target `host`.",
    ],
  },
  {
    name: "the same destination twice",
    change: withJob({ destinations: [{ kind: "filesystem" }, { kind: "filesystem" }] }),
    problems: [
      "provision:jobs[0].destinations[1]: same location as provision:jobs[0].destinations[0]; each copy needs its own\n" +
        "Give it another prefix, or remove it: pulumi config rm --path 'provision:jobs[0].destinations[1]'",
    ],
  },
  {
    name: "one folder twice, written in two ways",
    change: withJob({
      destinations: [
        { kind: "filesystem", path: "/srv/backups/", prefix: "a" },
        { kind: "filesystem", path: "/srv/backups/a", stallTimeoutSeconds: 60 },
      ],
    }),
    problems: [
      "provision:jobs[0].destinations[1]: same location as provision:jobs[0].destinations[0]; each copy needs its own\n" +
        "Give it another prefix, or remove it: pulumi config rm --path 'provision:jobs[0].destinations[1]'",
    ],
  },
  {
    name: "the stack's own folder twice, once by its name",
    change: withJob({
      destinations: [{ kind: "filesystem" }, { kind: "filesystem", path: "/var/lib/provision/dev/backups" }],
    }),
    problems: [
      "provision:jobs[0].destinations[1]: same location as provision:jobs[0].destinations[0]; each copy needs its own\n" +
        "Give it another prefix, or remove it: pulumi config rm --path 'provision:jobs[0].destinations[1]'",
    ],
  },
  {
    name: "a retention of backups that are never read back",
    change: withJob({ retention: { last: 7 }, verify: false }),
    problems: [
      "provision:jobs[0].verify: expected true, or no retention: nothing is pruned of a job whose backups are not read back, got false\n" +
        "Write it, for example verify: true. About verify: Read every backup back in full after it is written. Default true. Without it nothing is ever pruned.",
    ],
  },
  ...["/", "//", "/.", "/srv/..", "/srv/../etc"].map((path) => ({
    name: `backups in ${path}`,
    change: withJob({ destinations: [{ kind: "filesystem", path }] }),
    problems: [
      `provision:jobs[0].destinations[0].path: expected the path of a folder, without '..', and not the root of all, got "${path}"\n` +
        "Write it, for example path: /srv/backups. About path: Absolute path of the folder. It is made if it does not exist, for its owner alone. Left out: a folder of the stack's own on the target `host`.",
    ],
  })),
  ...["/", "/srv/../etc"].map((directory) => ({
    name: `a stack in ${directory}`,
    change: { host: { directory, removeBackupsOnDestroy: true } },
    problems: [
      `provision:host.directory: expected an absolute path whose parts are letters, digits, '.', '_', '-', '@' and '+', got "${directory}"\n` +
        "Write it, for example directory: /srv/provision. About directory: Folder on the machine in which everything of the stack lives. Default /var/lib/provision/<stack>.",
    ],
  })),
  {
    name: "a path with a line end",
    change: withJob({ destinations: [{ kind: "filesystem", path: "/srv/a\nb" }] }),
    problems: [
      "provision:jobs[0].destinations[0].path: the path holds a control character or a backslash, which the target host cannot handle\n" +
        "pulumi config set --path 'provision:jobs[0].destinations[0].path' /srv/backups",
    ],
  },
  {
    name: "the stack's own bucket on a host",
    change: withJob({ destinations: [{ kind: "s3" }] }),
    problems: [
      "provision:jobs[0].destinations[0].bucket: is missing; only the target aws makes a bucket of its own\n" +
        "pulumi config set --path 'provision:jobs[0].destinations[0].bucket' NAME-OF-A-BUCKET",
    ],
  },
  {
    name: "two jobs of one name",
    change: { jobs: [job, job] },
    problems: [
      'provision:jobs[1].name: "app" is already the name of provision:jobs[0]; each job needs its own\n' +
        "pulumi config set --path 'provision:jobs[1].name' app-2",
    ],
  },
  {
    name: "a job's name that the schedule of another job's task has",
    change: {
      jobs: [
        { ...job, drill: { schedule: { cron: "0 5 * * 0" } } },
        { ...job, name: "app-drill" },
        { ...job, name: "app-report" },
      ],
    },
    problems: [
      'provision:jobs[1].name: "app-drill" is also how the schedule of the drill of provision:jobs[0] is named; each schedule needs its own\n' +
        "Choose another name: pulumi config set --path 'provision:jobs[1].name' app-drill-2",
    ],
  },
  {
    name: "a renamed job whose former name another one has, and a second that says it was the same",
    change: {
      jobs: [
        job,
        { ...job, name: "shop", rename: { from: "app" } },
        { ...job, name: "store", rename: { from: ["old", "app"] } },
      ],
    },
    problems: [1, 2].map(
      (index) =>
        `provision:jobs[${index}].rename.from: "app" is also a name of provision:jobs[0], whose folder would then have this job's backups\n` +
        `Write the name that this job had before. If it had none: pulumi config rm --path 'provision:jobs[${index}].rename'`,
    ),
  },
  {
    name: "a job's name with capitals and a space",
    change: withJob({ name: "My App" }),
    problems: [
      "provision:jobs[0].name: expected 1 to 40 lower-case letters, digits and '-', not at the ends, got \"My App\"\n" +
        "Write it, for example name: app. About name: The job's name, unique in its stack.",
    ],
  },
  {
    name: "an hour out of range",
    change: withCron("0 25 * * *"),
    problems: [
      'provision:jobs[0].schedule.cron: expected a time of cron: the hour "25" is out of range; allowed are 0 to 23, as *, a number, a range (a-b), a step (*/n or a-b/n) or a list of these (a,b), got "0 25 * * *"\n' +
        'Write it, for example cron: "0 3 * * *". About cron: Five fields: minute, hour, day of the month, month, day of the week.',
    ],
  },
  {
    name: "a time of a drill that there is not",
    change: withJob({ drill: { schedule: { cron: "0 25 * * 0" }, target: { secret: "appUrl" } } }),
    problems: [
      'provision:jobs[0].drill.schedule.cron: expected a time of cron: the hour "25" is out of range; allowed are 0 to 23, as *, a number, a range (a-b), a step (*/n or a-b/n) or a list of these (a,b), got "0 25 * * 0"\n' +
        'Write it, for example cron: "0 3 * * *". About cron: Five fields: minute, hour, day of the month, month, day of the week.',
    ],
  },
  {
    name: "a time of a report that there is not",
    change: withJob({ report: { schedule: { cron: "0 25 * * 0" }, publish: true } }),
    problems: [
      'provision:jobs[0].report.schedule.cron: expected a time of cron: the hour "25" is out of range; allowed are 0 to 23, as *, a number, a range (a-b), a step (*/n or a-b/n) or a list of these (a,b), got "0 25 * * 0"\n' +
        'Write it, for example cron: "0 3 * * *". About cron: Five fields: minute, hour, day of the month, month, day of the week.',
    ],
  },
  {
    name: "four fields",
    change: withCron("0 3 * *"),
    problems: [
      'provision:jobs[0].schedule.cron: expected the five fields of cron: minute hour day month weekday, got "0 3 * *"\n' +
        'Write it, for example cron: "0 3 * * *". About cron: Five fields: minute, hour, day of the month, month, day of the week.',
    ],
  },
  {
    name: "a nickname of cron",
    change: withCron("@daily"),
    problems: [
      'provision:jobs[0].schedule.cron: expected the five fields of cron: minute hour day month weekday, got "@daily"\n' +
        'Write it, for example cron: "0 3 * * *". About cron: Five fields: minute, hour, day of the month, month, day of the week.',
    ],
  },
  {
    name: "a day that does not exist",
    change: withCron("0 3 30 2 *"),
    problems: [
      'provision:jobs[0].schedule.cron: expected a time of cron: no month of "2" has a day "30", so it would never run, got "0 3 30 2 *"\n' +
        'Write it, for example cron: "0 3 * * *". About cron: Five fields: minute, hour, day of the month, month, day of the week.',
    ],
  },
  {
    name: "a step without a range",
    change: withCron("5/15 * * * *"),
    problems: [
      'provision:jobs[0].schedule.cron: expected a time of cron: the minute "5/15" has a step without a range; write "5-59/15", got "5/15 * * * *"\n' +
        'Write it, for example cron: "0 3 * * *". About cron: Five fields: minute, hour, day of the month, month, day of the week.',
    ],
  },
  {
    name: "a weekday that is no word",
    change: withCron("0 3 * * funday"),
    problems: [
      'provision:jobs[0].schedule.cron: expected a time of cron: the weekday "funday" cannot be read; allowed are 0 to 7 or sun to sat, as *, a number, a range (a-b), a step (*/n or a-b/n) or a list of these (a,b), got "0 3 * * funday"\n' +
        'Write it, for example cron: "0 3 * * *". About cron: Five fields: minute, hour, day of the month, month, day of the week.',
    ],
  },
  {
    name: "an unknown time zone",
    change: withJob({ schedule: { cron: "0 3 * * *", timezone: "Europe/Berln" } }),
    problems: [
      'provision:jobs[0].schedule.timezone: expected a time zone of the IANA database, got "Europe/Berln"\n' +
        "Write it, for example timezone: America/Sao_Paulo. About timezone: IANA time zone in which the fields are read. Default UTC.",
    ],
  },
  {
    name: "an offset for a time zone",
    change: withJob({ schedule: { cron: "0 3 * * *", timezone: "+03:00" } }),
    problems: [
      'provision:jobs[0].schedule.timezone: expected a time zone of the IANA database, not an offset (there Etc/GMT-3 is 3 hours ahead of UTC), got "+03:00"\n' +
        "Write it, for example timezone: America/Sao_Paulo. About timezone: IANA time zone in which the fields are read. Default UTC.",
    ],
  },
  {
    name: "a time zone in small letters",
    change: withJob({ schedule: { cron: "0 3 * * *", timezone: "europe/berlin" } }),
    problems: [
      'provision:jobs[0].schedule.timezone: expected a time zone of the IANA database, spelt as there, Europe/Berlin, got "europe/berlin"\n' +
        "Write it, for example timezone: America/Sao_Paulo. About timezone: IANA time zone in which the fields are read. Default UTC.",
    ],
  },
  {
    name: "a time zone's other name in small letters",
    change: withJob({ schedule: { cron: "0 3 * * *", timezone: "asia/kolkata" } }),
    problems: [
      'provision:jobs[0].schedule.timezone: expected a time zone of the IANA database, spelt as there, for instance Asia/Kolkata, got "asia/kolkata"\n' +
        "Write it, for example timezone: America/Sao_Paulo. About timezone: IANA time zone in which the fields are read. Default UTC.",
    ],
  },
  {
    name: "a retention that keeps nothing",
    change: withJob({ retention: { daily: 0 } }),
    problems: [
      "provision:jobs[0].retention: expected at least one of last, hourly, daily, weekly, monthly and yearly above 0, or within, got an object with daily\n" +
        "Write it, for example retention: { last: 7, daily: 14, weekly: 8, monthly: 12 }. About retention: Which backups prune keeps. Left out: nothing is ever pruned.",
    ],
  },
  {
    name: "a number in quotes",
    change: withJob({ retention: { daily: "7" } }),
    problems: [
      'provision:jobs[0].retention.daily: expected a whole number from 0 to 3650, got "7"\n' +
        "Write it without quotes. About daily: How many of the last backups of a day to keep, 0 to 3650. Default 0.",
    ],
  },
  {
    name: "a key that is none of age's",
    change: withJob({ encryption: { recipients: ["ssh-ed25519 AAAA"] } }),
    problems: [
      'provision:jobs[0].encryption.recipients[0]: expected an age public key, which starts with age1, got "ssh-ed25519 AAAA"\n' +
        "Write an age public key, which starts with age1.",
    ],
  },
  {
    name: "an age public key with a typing error",
    change: withJob({ encryption: { recipients: ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kudftvzhs6w8w3w"] } }),
    problems: [
      'provision:jobs[0].encryption.recipients[0]: expected an age public key as age-keygen printed it; a typing error breaks its checksum, got "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2k…"\n' +
        "Write an age public key as age-keygen printed it; a typing error breaks its checksum.",
    ],
  },
  {
    name: "no time at all for a run",
    change: withJob({ timeoutMinutes: 0 }),
    problems: [
      "provision:jobs[0].timeoutMinutes: expected a whole number from 1 to 20160, got 0\n" +
        "Write it, for example timeoutMinutes: 120. About timeoutMinutes: Minutes after which a run is ended cleanly. Default 1440, a day.",
    ],
  },
  {
    name: "a folder that is not absolute",
    change: { host: { directory: "~/backups" } },
    problems: [
      "provision:host.directory: expected an absolute path whose parts are letters, digits, '.', '_', '-', '@' and '+', got \"~/backups\"\n" +
        "Write it, for example directory: /srv/provision. About directory: Folder on the machine in which everything of the stack lives. Default /var/lib/provision/<stack>.",
    ],
  },
  {
    name: "an unknown scheduler",
    change: { host: { scheduler: "cron" } },
    problems: [
      'provision:host.scheduler: expected "auto", "systemd", "crontab" or "none", got "cron"\n' +
        "Write it, for example scheduler: auto. About scheduler: What starts the jobs. Default auto: systemd where it runs, else crontab, else nothing, with a warning.",
    ],
  },
  {
    name: "a connection without a host",
    change: { host: { connection: { user: "root" } } },
    problems: [
      "provision:host.connection.host: is missing; expected a text\n" +
        "Add host, for example host: db1.example.com. About host: Name or address of the machine.",
    ],
  },
  {
    name: "a private key in plain text",
    change: { host: { connection: { host: "db1", privateKey: MISTAKE_MARKER } } },
    problems: [
      "provision:host.connection.privateKey: a secret must not stand here in plain text; expected a reference to a secret: { secret: … }\n" +
        "Set the secret with: pulumi config set --secret --path 'provision:secrets.NAME', where NAME is a name of your choice, and write privateKey: { secret: NAME } here. If others may have seen the secret, change it where it comes from.",
    ],
  },
  {
    name: "a private key that nobody set",
    change: { host: { connection: { host: "db1", privateKey: { secret: "sshKey" } } } },
    problems: [
      'provision:host.connection.privateKey.secret: the stack has no secret "sshKey"; it has appUrl\n' +
        "Set it: pulumi config set --secret --path 'provision:secrets.sshKey'",
    ],
  },
  {
    name: "a misspelt field of the host",
    change: { host: { directroy: "/srv/provision" } },
    problems: [
      "provision:host.directroy: there is no such field; allowed are directory, user, connection, removeBackupsOnDestroy, adopt, scheduler and node\n" +
        "Did you mean directory?",
    ],
  },
  {
    name: "several mistakes at once",
    change: {
      jobs: [{ ...job, name: "A", schedule: { cron: "61 3 * * *", timezone: "Mars" } }],
      host: { port: 22 },
    },
    problems: [
      "provision:jobs[0].name: expected 1 to 40 lower-case letters, digits and '-', not at the ends, got \"A\"\n" +
        "Write it, for example name: app. About name: The job's name, unique in its stack.",
      'provision:jobs[0].schedule.cron: expected a time of cron: the minute "61" is out of range; allowed are 0 to 59, as *, a number, a range (a-b), a step (*/n or a-b/n) or a list of these (a,b), got "61 3 * * *"\n' +
        'Write it, for example cron: "0 3 * * *". About cron: Five fields: minute, hour, day of the month, month, day of the week.',
      'provision:jobs[0].schedule.timezone: expected a time zone of the IANA database, got "Mars"\n' +
        "Write it, for example timezone: America/Sao_Paulo. About timezone: IANA time zone in which the fields are read. Default UTC.",
      "provision:host.port: there is no such field; allowed are directory, user, connection, removeBackupsOnDestroy, adopt, scheduler and node\n" +
        "Move it into connection: connection.port.",
    ],
  },
];
