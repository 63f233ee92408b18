import { StateMachine } from "aws-local-stepfunctions";
import { describe, expect, it } from "vitest";
import { runInput, runMachine, type RunInput } from "../../../../components/aws/backup-schedule/run-machine.ts";

const TASK = "arn:aws:ecs:eu-central-1:123456789012:task/runner-prod/";

const definition = runMachine({
  partition: "aws",
  clusterArn: "arn:aws:ecs:eu-central-1:123456789012:cluster/runner-prod",
  subnetIds: ["subnet-1"],
  securityGroupIds: ["sg-1"],
  assignPublicIp: true,
  queueUrl: "https://sqs.eu-central-1.amazonaws.com/123456789012/not-started",
  maxRetries: 2,
});

/** How ECS shows a task that has stopped. */
interface Stopped {
  StopCode: string;
  Containers: ({ ExitCode: number } | Record<string, never>)[];
}

const exited = (ExitCode: number): Stopped => ({ StopCode: "EssentialContainerExited", Containers: [{ ExitCode }] });
const lost = (StopCode: string): Stopped => ({ StopCode, Containers: [{}] });

/** What becomes of a task: how it stops, and after how many looks; or that it never stops, or that ECS starts none. */
type Fate = { readonly stopped: Stopped; readonly looks?: number } | "hangs" | "no room" | "refused";

/** Runs the machine by an interpreter of Amazon's States Language; each start of a task gets the next fate, the last one for good. */
async function run(fates: readonly Fate[], changes: Partial<RunInput> = {}) {
  const seen = { starts: 0, running: 0, together: 0, looks: 0, stopped: [] as string[], told: [] as string[] };
  let looks = 0;
  const fate = () => fates[Math.min(seen.starts, fates.length) - 1];
  const ended = () => (seen.running -= 1);
  const input = {
    ...runInput("arn:aws:ecs:eu-central-1:123456789012:task-definition/provision_prod_app_backup:7", nightly, limits),
    looks: 5,
    ...changes,
  };
  const machine = new StateMachine(definition as ConstructorParameters<typeof StateMachine>[0]);
  const { result } = machine.run(input as unknown as Parameters<typeof machine.run>[0], {
    overrides: {
      taskResourceLocalHandlers: {
        Start: (parameters: unknown) => {
          seen.starts += 1;
          looks = 0;
          expect(parameters).toMatchObject({
            TaskDefinition: input.taskDefinition,
            Overrides: {
              ContainerOverrides: [{ Environment: [{ Name: "PROVISION_SCHEDULE", Value: "0 3 * * * UTC" }] }],
            },
          });
          if (fate() === "refused") throw new Error("AccessDenied");
          if (fate() === "no room") return { Tasks: [], Failures: [{ Reason: "RESOURCE" }] };
          seen.running += 1;
          seen.together = Math.max(seen.together, seen.running);
          return { Tasks: [{ TaskArn: `${TASK}${seen.starts}` }], Failures: [] };
        },
        Look: (parameters: unknown) => {
          const [arn = ""] = (parameters as { readonly Tasks: readonly string[] }).Tasks;
          looks += 1;
          seen.looks += 1;
          const now = fate();
          const over = typeof now === "object" && looks >= (now.looks ?? 1);
          if (over) ended();
          const state = { TaskArn: arn, LastStatus: over ? "STOPPED" : "RUNNING" };
          return { Tasks: [over ? { ...state, ...now.stopped } : state] };
        },
        Stop: (parameters: unknown) => {
          seen.stopped.push((parameters as { readonly Task: string }).Task);
          ended();
          return {};
        },
        Tell: (parameters: unknown) => {
          seen.told.push((parameters as { readonly MessageBody: string }).MessageBody);
          return {};
        },
      },
      waitTimeOverrides: { Wait: 0, Pause: 0 },
      retryIntervalOverrides: { Start: 0 },
    },
  });
  const outcome = await result.then(
    () => "Done",
    (error: unknown) => ((error as Error).cause as Error).name,
  );
  return { ...seen, outcome };
}

const nightly = { cron: "0 3 * * *", timezone: "UTC" };
const limits = { timeoutMinutes: 60, restarts: 2 };

describe("what runs a task to its end", () => {
  it.each([0, 6])("is done with the exit code %s, whenever that comes", async (code) => {
    expect(await run([{ stopped: exited(code), looks: 4 }])).toMatchObject({
      outcome: "Done",
      starts: 1,
      looks: 4,
      stopped: [],
      told: [],
    });
  });

  it.each([1, 2, 3, 4, 5, 130, 139])("starts nothing again after the exit code %s", async (code) => {
    expect(await run([{ stopped: exited(code) }])).toMatchObject({ outcome: "TaskFailed", starts: 1, told: [] });
  });

  it.each([
    exited(137),
    exited(143),
    lost("TaskFailedToStart"),
    lost("SpotInterruption"),
    lost("TerminationNotice"),
    lost("InfrastructureHealth"),
  ])("starts a task again that ended with %j, twice at most", async (stopped) => {
    expect(await run([{ stopped }, { stopped: exited(0) }])).toMatchObject({ outcome: "Done", starts: 2 });
    expect(await run([{ stopped }])).toMatchObject({ outcome: "TaskFailed", starts: 3, together: 1, told: [] });
    expect(await run([{ stopped }], { restarts: 0 })).toMatchObject({ outcome: "TaskFailed", starts: 1 });
  });

  it("starts no task again that a person has stopped", async () => {
    const stopped = { StopCode: "UserInitiated", Containers: [{ ExitCode: 143 }] };
    expect(await run([{ stopped }])).toMatchObject({ outcome: "TaskFailed", starts: 1 });
  });

  it("stops a task that runs for too long, and starts no other", async () => {
    expect(await run(["hangs"])).toMatchObject({
      outcome: "TaskStopped",
      starts: 1,
      looks: 5,
      stopped: [`${TASK}1`],
      told: [],
    });
  });

  it("gives a task that it starts again its whole time, and stops that one", async () => {
    const fates: Fate[] = [{ stopped: exited(137), looks: 4 }, "hangs"];
    expect(await run(fates)).toMatchObject({ outcome: "TaskStopped", looks: 9, stopped: [`${TASK}2`], together: 1 });
  });

  it("leaves word in the queue of what ECS would not start", async () => {
    const noRoom = await run(["no room"]);
    expect(noRoom).toMatchObject({ outcome: "TaskLost", starts: 3, looks: 0 });
    expect(noRoom.told).toEqual([expect.stringContaining("RESOURCE")]);
    const refused = await run(["refused"]);
    expect(refused).toMatchObject({ outcome: "TaskLost", starts: 3, looks: 0 });
    expect(refused.told).toEqual([expect.stringContaining("AccessDenied")]);
    expect(await run(["no room", { stopped: exited(0) }])).toMatchObject({ outcome: "Done", told: [] });
  });

  it.each([
    [1, 0],
    [60, 2],
    [1_440, 2],
    [20_160, 3],
  ])("sees a task of %i minutes with %i restarts to its limit, within what AWS keeps", (timeoutMinutes, restarts) => {
    const { looks, lookSeconds } = runInput("arn", nightly, { timeoutMinutes, restarts });
    const minutes = (looks * lookSeconds) / 60;
    expect(minutes).toBeGreaterThanOrEqual(timeoutMinutes + 15);
    expect(minutes).toBeLessThan((timeoutMinutes + 15) * 1.05 + 1);
    // Events of an execution, at 11 a look and 30 for the rest of an attempt.
    expect((11 * looks + 30) * (restarts + 1)).toBeLessThan(25_000);
    // ECS shows a task for an hour after it has stopped.
    expect(lookSeconds).toBeLessThan(3600);
  });
});
