import * as pulumi from "@pulumi/pulumi";
import type { JobConfig } from "../../providers/config.ts";
import { parseCron } from "../../providers/fields/cron.ts";
import { onCalendar } from "./calendar.ts";
import { crontabLine } from "./crontab-line.ts";
import { machineCommand, type Machine } from "./machine.ts";
import { takePlace, type Owner } from "./owner.ts";
import { withSchedule, type RunnerCommand } from "./runner-command.ts";
import { scheduleScripts, type Scheduler } from "./schedule-scripts.ts";
import { renderSystemdUnits } from "./systemd-units.ts";

/** Arguments of {@link Schedule}. */
export interface ScheduleArgs {
  readonly machine: Machine;
  /** The job's name and its stack's, its time limit and when it runs. */
  readonly job: Pick<JobConfig, "name" | "stack" | "timeoutMinutes"> & {
    readonly schedule: NonNullable<JobConfig["schedule"]>;
  };
  /** What is started is the job's backup, or another of its tasks. Default: the backup. */
  readonly task?: "drill" | "report";
  /** What is started. */
  readonly command: RunnerCommand;
  /** The same for a person at a shell, for warnings. */
  readonly byHand: pulumi.Input<string>;
  /** File that collects what runs from a crontab print; systemd has its journal. */
  readonly logFile: string;
  readonly owner: pulumi.Input<Owner>;
  /** Folders that a run may write to. */
  readonly writable: pulumi.Input<readonly string[]>;
  readonly scheduler: Scheduler;
  /** The user that runs the backups. Default: the one who connects. */
  readonly user?: string;
}

/** Starts one job on time: a systemd timer, a line in a crontab, or a warning that somebody must. */
export class Schedule extends pulumi.ComponentResource {
  /** How the job is scheduled: `systemd system`, `systemd user`, `crontab` or `none`. */
  readonly how: pulumi.Output<string>;

  constructor(name: string, args: ScheduleArgs, opts?: pulumi.ComponentResourceOptions) {
    super("provision:host:Schedule", name, {}, opts);
    const { schedule, stack } = args.job;
    // No name can hold a dot: no two jobs, and no two tasks of one, give the same unit.
    const unit = ["provision", stack, args.job.name, ...(args.task === undefined ? [] : [args.task])].join(".");
    const what = args.task === undefined ? `job ${args.job.name}` : `${args.task} of the job ${args.job.name}`;
    const cron = parseCron(schedule.cron);
    // Monitors want to know when a backup is due.
    const command = args.task === undefined ? withSchedule(args.command, schedule) : args.command;
    const units = (writable: readonly string[]) =>
      renderSystemdUnits({
        description: `the ${args.task === undefined ? `backup ${what}` : what} of the stack ${stack}`,
        command: command.argv,
        environment: command.environment,
        writable,
        timeoutMinutes: args.job.timeoutMinutes,
        calendar: onCalendar(cron, schedule.timezone),
        ...(args.user !== undefined && { user: args.user }),
      });
    const scripts = pulumi.all([args.writable, args.owner, args.machine.place]).apply(([writable, owner, place]) => {
      takePlace(
        `the schedule ${unit} of ${args.user ?? "the user"} on ${place}`,
        owner,
        "Give their jobs different names.",
      );
      return scheduleScripts({
        unit,
        owner,
        units: units(writable),
        line: crontabLine(schedule.cron, cron, command, args.logFile),
        timezone: schedule.timezone,
        scheduler: args.scheduler,
        ...(args.user !== undefined && { user: args.user }),
      });
    });
    const timer = machineCommand(
      `${name}-timer`,
      args.machine,
      {
        path: `${args.user ?? ""}/${unit}`,
        create: scripts.create,
        update: scripts.update,
        delete: scripts.delete,
      },
      { parent: this },
    );
    this.how = pulumi.all([timer.stdout, args.machine.place, args.byHand]).apply(([stdout, place, byHand]) => {
      const [how = "", ...warnings] = stdout.split("\n").filter((line) => line !== "");
      if (how === "none" && args.scheduler === "auto") {
        warnings.push(
          `Nothing on ${place} can start the ${what}: it has neither systemd nor crontab. ` +
            `Start it yourself at "${schedule.cron}" (${schedule.timezone}), with: ${byHand}`,
        );
      }
      for (const warning of warnings) void pulumi.log.warn(warning, this);
      return how;
    });
    this.registerOutputs({ how: this.how });
  }
}
