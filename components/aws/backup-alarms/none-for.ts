import type * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { HOUR_SECONDS } from "./alarm.ts";

/** For how long there may be none of what a metric counts. */
export interface Watched {
  /** Hours from one to the next at most, the grace included. */
  readonly hours: number;
  /** Hours that one may be late. */
  readonly graceHours: number;
  /** The second in which the first one is due, where that is known: before, and for the grace, none is late. */
  readonly firstDue: pulumi.Output<number | undefined> | undefined;
}

/** A metric by its names. */
type Metric = Required<
  Pick<aws.types.input.cloudwatch.MetricAlarmMetricQueryMetric, "namespace" | "metricName" | "dimensions">
>;

/**
 * Rings when an hourly sum has been below 1 for some hours, or missing.
 *
 * Of a new job the alarm takes the hours for good that are so long ago that no backup was due since: all hours of its window count no
 * sooner than when the first run was due and the grace is over. `EPOCH` has a value for each hour, whether the metric has one or not;
 * if CloudWatch had none, the alarm would ring at once.
 */
export function noneFor(metric: Metric, { hours, graceHours, firstDue }: Watched): aws.cloudwatch.MetricAlarmArgs {
  const common = {
    comparisonOperator: "LessThanThreshold",
    threshold: 1,
    evaluationPeriods: hours,
    datapointsToAlarm: hours,
    treatMissingData: "breaching",
  };
  if (firstDue === undefined) return { ...common, ...metric, statistic: "Sum", period: HOUR_SECONDS };
  const expression = firstDue.apply((due) => {
    if (due === undefined) return "FILL(backups, 0)";
    // The window's first hour; its last one begins when the grace is over.
    const counted = due + Math.ceil(graceHours * HOUR_SECONDS) - (hours - 1) * HOUR_SECONDS;
    return `IF(EPOCH(backups) < ${counted}, 1, FILL(backups, 0))`;
  });
  return {
    ...common,
    metricQueries: [
      { id: "backups", metric: { ...metric, period: HOUR_SECONDS, stat: "Sum" }, returnData: false },
      { id: "counted", label: "Backups, or none due", expression, returnData: true },
    ],
  };
}
