import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { JobNames } from "../../providers/config.ts";
import { dashboardBody, JOBS_A_DASHBOARD } from "./backup-dashboard/body.ts";

/** Arguments of {@link BackupDashboard}. */
export interface BackupDashboardArgs {
  /** The stack's name, as it is in the metrics, and part of the dashboard's. */
  readonly stack: string;
  /** The stack's first name, as it is in the metrics. Default: its name. */
  readonly firstStack?: pulumi.Input<string> | undefined;
  /** The names of the jobs. */
  readonly jobs: readonly JobNames[];
  /** Whose the dashboard is, as part of its name: letters, digits, `-` and `_`. Default: `provision-<stack>`. */
  readonly owner?: string | undefined;
  /** The region of the metrics, and part of the dashboard's name. */
  readonly region: pulumi.Input<string>;
}

/**
 * A dashboard with the age of the newest verified backup, the size, the duration and the outcomes of the runs by job.
 *
 * Up to 25 jobs have a row each; of more, several share a row, so that 200 jobs are 100 widgets. A dashboard takes 500 widgets
 * and 2500 metrics: above 350 jobs there are several, and AWS asks 3 USD a month for each after the account's first three.
 *
 * Its name is fixed, as it is an address that people keep, and has the region in it, since an account has each name once for all
 * regions. One that exists keeps its name, whatever `owner` is. AWS has no tags for a dashboard.
 */
export class BackupDashboard extends pulumi.ComponentResource {
  /** The name of the first dashboard. */
  readonly name: pulumi.Output<string>;
  /** Its address in the console. */
  readonly url: pulumi.Output<string>;

  constructor(name: string, args: BackupDashboardArgs, opts?: pulumi.ComponentResourceOptions) {
    super("provision:aws:BackupDashboard", name, {}, opts);
    const { stack, jobs } = args;
    const start = pulumi.interpolate`${args.owner ?? `provision-${stack}`}-${args.region}`;
    const made: pulumi.Output<string>[] = [];
    for (let from = 0, page = 1; from === 0 || from < jobs.length; from += JOBS_A_DASHBOARD, page += 1) {
      const suffix = page === 1 ? "" : `-${page}`;
      const shown = jobs.slice(from, from + JOBS_A_DASHBOARD);
      const dashboard = new aws.cloudwatch.Dashboard(
        `${name}${suffix}`,
        {
          dashboardName: pulumi.interpolate`${start}${suffix}`,
          dashboardBody: pulumi
            .all([args.region, args.firstStack ?? stack])
            .apply(([region, firstStack]) => JSON.stringify(dashboardBody(stack, shown, region, firstStack))),
        },
        // Former versions named it otherwise, and another name is another address.
        { parent: this, ignoreChanges: ["dashboardName"] },
      );
      made.push(dashboard.dashboardName);
    }
    const first = made[0] ?? start;
    this.name = first;
    this.url = pulumi.interpolate`https://${args.region}.console.aws.amazon.com/cloudwatch/home?region=${args.region}#dashboards/dashboard/${first}`;
    this.registerOutputs({ name: this.name, url: this.url });
  }
}
