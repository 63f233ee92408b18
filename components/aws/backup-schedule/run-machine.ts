import { CONTAINER_NAME } from "../backup-runner/container.ts";
import { SCHEDULE_VARIABLE, writeSchedule } from "../../../providers/environment.ts";
import { GOOD_EXIT_CODES } from "../task-ends.ts";

/** Seconds beyond a job's `timeoutMinutes` after which its task is stopped: for its start, and for the runner's own clean end. */
const BEYOND_SECONDS = 900;

/** Seconds between two looks at a task, at least. */
const LOOK_SECONDS = 60;

/**
 * Looks at a task in all attempts together. Each is 11 events of an execution's history, which holds 25,000
 * (https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html).
 */
const LOOKS = 1_800;

/** Seconds before a task is started again; twice as many before the next time. */
const PAUSE_SECONDS = 300;

/** Stop codes of ECS for a task that did not end by itself, nor by a person. */
const LOST = ["TaskFailedToStart", "SpotInterruption", "TerminationNotice", "InfrastructureHealth"];

/** Exit codes of a container that was killed: for want of memory as a rule, or by its host's end. */
const KILLED = [137, 143];

/** What the machine's definition is made of. */
export interface RunMachine {
  readonly partition: string;
  readonly clusterArn: string;
  readonly subnetIds: readonly string[];
  readonly securityGroupIds: readonly string[];
  readonly assignPublicIp: boolean;
  /** URL of the queue that gets what could not be started. */
  readonly queueUrl: string;
  /** How often a start that ECS refused is tried again. */
  readonly maxRetries: number;
}

/** What a schedule hands to the machine. */
export interface RunInput {
  readonly taskDefinition: string;
  readonly environment: readonly { readonly Name: string; readonly Value: string }[];
  /** How many times the task may be started again. */
  readonly restarts: number;
  /** Seconds before it is, the first time. */
  readonly pauseSeconds: number;
  readonly lookSeconds: number;
  /** Looks at the task before it is stopped. */
  readonly looks: number;
}

/**
 * What a schedule hands to the machine for a task that may run for so long, and be started again so often.
 *
 * @param schedule what the runner takes for its job's schedule
 */
export function runInput(
  taskDefinition: string,
  schedule: { readonly cron: string; readonly timezone: string } | "none",
  limits: { readonly timeoutMinutes: number; readonly restarts: number },
): RunInput {
  const seconds = limits.timeoutMinutes * 60 + BEYOND_SECONDS;
  const lookSeconds = Math.max(LOOK_SECONDS, Math.ceil(seconds / Math.floor(LOOKS / (1 + limits.restarts))));
  return {
    taskDefinition,
    environment: schedule === "none" ? [] : [{ Name: SCHEDULE_VARIABLE, Value: writeSchedule(schedule) }],
    restarts: limits.restarts,
    pauseSeconds: PAUSE_SECONDS,
    lookSeconds,
    looks: Math.ceil(seconds / lookSeconds),
  };
}

/**
 * The definition, in Amazon's States Language, of what runs a task to its end: starts it, looks at it, stops it once it has run for too
 * long, and starts it again, a bounded number of times, where it could not start or was killed. An exit code of the runner's own is
 * never a reason to start again, and nothing is started before ECS has said that the task before has stopped.
 *
 * It looks, and does not use `ecs:runTask.sync`: AWS does not promise that this stops a task whose state times out, and it says why a
 * task ended in a text alone.
 */
export function runMachine(machine: RunMachine): object {
  const { partition, clusterArn, queueUrl } = machine;
  const resource = (action: string) => `arn:${partition}:states:::${action}`;
  const unlessRefused = { ErrorEquals: ["States.ALL"], IntervalSeconds: 30, BackoffRate: 2, MaxDelaySeconds: 600 };
  const whereRefused = { Catch: [{ ErrorEquals: ["States.ALL"], ResultPath: "$.error", Next: "Tell" }] };
  const task = "$.seen.Tasks[0]";
  const exitCode = `${task}.Containers[0].ExitCode`;
  const isOneOf = (variable: string, operator: "StringEquals" | "NumericEquals", values: readonly unknown[]) => ({
    And: [
      { Variable: variable, IsPresent: true },
      { Or: values.map((value) => ({ Variable: variable, [operator]: value })) },
    ],
  });
  const kept = ["taskDefinition", "environment"].map((field) => [`${field}.$`, `$.${field}`] as const);
  const input = "$$.Execution.Input";
  return {
    Comment: "Runs a task of a backup job to its end.",
    StartAt: "Start",
    States: {
      Start: {
        Type: "Task",
        Resource: resource("ecs:runTask"),
        Parameters: {
          Cluster: clusterArn,
          "TaskDefinition.$": "$.taskDefinition",
          LaunchType: "FARGATE",
          PlatformVersion: "LATEST",
          PropagateTags: "TASK_DEFINITION",
          NetworkConfiguration: {
            AwsvpcConfiguration: {
              Subnets: machine.subnetIds,
              SecurityGroups: machine.securityGroupIds,
              AssignPublicIp: machine.assignPublicIp ? "ENABLED" : "DISABLED",
            },
          },
          Overrides: { ContainerOverrides: [{ Name: CONTAINER_NAME, "Environment.$": "$.environment" }] },
        },
        ResultPath: "$.started",
        Retry: [{ ...unlessRefused, MaxAttempts: machine.maxRetries }],
        ...whereRefused,
        Next: "Started",
      },
      // ECS answers without an error, and without a task, where it has no room for one.
      Started: {
        Type: "Choice",
        Choices: [
          { Variable: "$.started.Tasks[0].TaskArn", IsPresent: true, Next: "Wait" },
          { Variable: "$.restarts", NumericGreaterThan: 0, Next: "Pause" },
        ],
        Default: "Tell",
      },
      Wait: { Type: "Wait", SecondsPath: "$.lookSeconds", Next: "Look" },
      Look: {
        Type: "Task",
        Resource: resource("aws-sdk:ecs:describeTasks"),
        Parameters: { Cluster: clusterArn, "Tasks.$": "States.Array($.started.Tasks[0].TaskArn)" },
        ResultPath: "$.seen",
        Retry: [{ ...unlessRefused, MaxAttempts: 6 }],
        ...whereRefused,
        Next: "Ended",
      },
      Ended: {
        Type: "Choice",
        Choices: [
          { ...isOneOf(`${task}.LastStatus`, "StringEquals", ["STOPPED"]), Next: "How" },
          { Variable: "$.looks", NumericGreaterThan: 1, Next: "Count" },
        ],
        Default: "Stop",
      },
      Count: {
        Type: "Pass",
        Parameters: {
          ...Object.fromEntries(kept),
          "started.$": "$.started",
          "restarts.$": "$.restarts",
          "pauseSeconds.$": "$.pauseSeconds",
          "lookSeconds.$": "$.lookSeconds",
          "looks.$": "States.MathAdd($.looks, -1)",
        },
        Next: "Wait",
      },
      Stop: {
        Type: "Task",
        Resource: resource("aws-sdk:ecs:stopTask"),
        Parameters: {
          Cluster: clusterArn,
          "Task.$": "$.started.Tasks[0].TaskArn",
          Reason: "It ran for longer than the job's timeoutMinutes",
        },
        ResultPath: null,
        Retry: [{ ...unlessRefused, MaxAttempts: 6 }],
        ...whereRefused,
        Next: "TooLong",
      },
      How: {
        Type: "Choice",
        Choices: [
          { ...isOneOf(exitCode, "NumericEquals", GOOD_EXIT_CODES), Next: "Done" },
          {
            And: [
              { Variable: "$.restarts", NumericGreaterThan: 0 },
              {
                Or: [
                  isOneOf(`${task}.StopCode`, "StringEquals", LOST),
                  {
                    And: [
                      isOneOf(`${task}.StopCode`, "StringEquals", ["EssentialContainerExited"]),
                      isOneOf(exitCode, "NumericEquals", KILLED),
                    ],
                  },
                ],
              },
            ],
            Next: "Pause",
          },
        ],
        Default: "Failed",
      },
      Pause: { Type: "Wait", SecondsPath: "$.pauseSeconds", Next: "Again" },
      Again: {
        Type: "Pass",
        Parameters: {
          ...Object.fromEntries(kept),
          "restarts.$": "States.MathAdd($.restarts, -1)",
          "pauseSeconds.$": "States.MathAdd($.pauseSeconds, $.pauseSeconds)",
          "lookSeconds.$": "$.lookSeconds",
          "looks.$": `${input}.looks`,
        },
        Next: "Start",
      },
      Tell: {
        Type: "Task",
        Resource: resource("sqs:sendMessage"),
        Parameters: { QueueUrl: queueUrl, "MessageBody.$": "States.JsonToString($)" },
        ResultPath: null,
        Retry: [{ ...unlessRefused, MaxAttempts: 6 }],
        Next: "NotStarted",
      },
      Done: { Type: "Succeed" },
      Failed: { Type: "Fail", Error: "TaskFailed", Cause: "The task failed: its log says why." },
      TooLong: { Type: "Fail", Error: "TaskStopped", Cause: "The task ran for too long and was stopped." },
      NotStarted: {
        Type: "Fail",
        Error: "TaskLost",
        Cause: "ECS did not start, show or stop the task: see the queue.",
      },
    },
  };
}
