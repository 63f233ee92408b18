import { describe, expect, it } from "vitest";
import { AwsBackups } from "../../../components/aws/aws-backups.ts";
import { BackupRunner } from "../../../components/aws/backup-runner.ts";
import { BackupSchedule } from "../../../components/aws/backup-schedule.ts";
import type { RolePolicies } from "../../../components/aws/service-role.ts";
import { AwsSettings } from "../../../components/aws/settings.ts";
import { app, bucket, IMAGE, KEY, secretArns, web } from "../../helpers/aws-jobs.ts";
import { ACCOUNT, isAllowed } from "../../helpers/iam.ts";
import { mockEngine, registered, unwrap, type RecordedResource } from "../../helpers/mocks.ts";

const REGION = "eu-central-1";
const CLUSTER = `arn:aws:ecs:${REGION}:${ACCOUNT}:cluster/shared`;
const role = (name: string) => `arn:aws:iam::${ACCOUNT}:role/team/${name}`;

/** Whether a role with the policy that an existing one is said to need may do something. */
async function may(
  policies: RolePolicies | undefined,
  action: string,
  resource: string,
  context: Record<string, string> = {},
): Promise<boolean> {
  if (policies === undefined) throw new Error("the role exists, and its policies are not said");
  const policy: unknown = JSON.parse(await unwrap(policies.permissions));
  return isAllowed({ principal: role("existing"), policy, action, resource, context });
}

/** Which service a role has to trust, on behalf of what. */
async function trusted(policies: RolePolicies | undefined): Promise<unknown> {
  if (policies === undefined) throw new Error("the role exists, and its trust policy is not said");
  const document = JSON.parse(await unwrap(policies.trust)) as { Statement: Record<string, unknown>[] };
  return document.Statement.map(({ Effect, Principal, Action, Condition }) => [Effect, Principal, Action, Condition]);
}

const rolesIn = (recorded: readonly RecordedResource[]) =>
  recorded.filter(({ type }) => /^aws:iam\/role(Policy)?:/.test(type)).map(({ name }) => name);

describe("existing roles of tasks", () => {
  async function deploy() {
    const recorded = await mockEngine();
    const roles = { app: { execution: role("start"), backup: role("backup") } };
    const common = { stack: "prod", image: IMAGE, bucket, secretArns, keyArn: KEY };
    const runner = new BackupRunner("runner", { ...common, jobs: [app, web], roles });
    await registered(runner);
    return { recorded, tasks: runner.tasks.app };
  }

  it("stand in the definitions, and are neither made nor given a policy", async () => {
    const { recorded, tasks } = await deploy();
    const made = rolesIn(recorded).filter((name) => name.includes("-app-"));
    expect(made.filter((name) => /-(backup|start)(-policy)?$/.test(name))).toEqual([]);
    expect(made).toHaveLength(6);
    const definitions = recorded.filter(({ name }) => /^runner-prod-app-(backup|prune)$/.test(name));
    const taskRoles = definitions
      .filter(({ type }) => type.endsWith(":TaskDefinition"))
      .map(({ inputs: { taskRoleArn, executionRoleArn } }) => [taskRoleArn, executionRoleArn]);
    expect(taskRoles.sort()).toEqual([
      [`arn:aws:iam::${ACCOUNT}:role/runner-prod-app-prune`, role("start")],
      [role("backup"), role("start")],
    ]);
    expect(await unwrap(tasks?.backup.roleArn ?? expect.fail())).toBe(role("backup"));
  });

  it("come with the policies that they need, and no others do", async () => {
    const { tasks } = await deploy();
    const { policies, executionPolicies } = tasks?.backup ?? {};
    const dump = "arn:aws:s3:::prod-backups/prod/app/20261124T030000Z-abcdef/database.dump.zst";
    const create = { "s3:if-none-match": "*", "s3:ObjectCreationOperation": "true" };
    expect(await may(policies, "s3:PutObject", dump, create)).toBe(true);
    expect(await may(policies, "s3:PutObject", dump.replace("/app/", "/web/"), create)).toBe(false);
    expect(await may(policies, "s3:DeleteObject", dump)).toBe(false);
    const secret = "secretsmanager:GetSecretValue";
    expect(await may(executionPolicies, secret, secretArns.appUrl ?? "")).toBe(true);
    expect(await may(executionPolicies, secret, (secretArns.appUrl ?? "").replace("appUrl", "other"))).toBe(false);
    expect(await may(policies, secret, secretArns.appUrl ?? "")).toBe(false);
    for (const each of [policies, executionPolicies]) {
      expect(await trusted(each)).toEqual([
        [
          "Allow",
          { Service: "ecs-tasks.amazonaws.com" },
          "sts:AssumeRole",
          {
            StringEquals: { "aws:SourceAccount": ACCOUNT },
            ArnLike: { "aws:SourceArn": `arn:aws:ecs:${REGION}:${ACCOUNT}:*` },
          },
        ],
      ]);
    }
    expect(tasks?.prune?.policies).toBeUndefined();
  });

  it("may be of the task that publishes reports", async () => {
    await mockEngine();
    const report = { schedule: { cron: "0 7 * * 1", timezone: "UTC" }, publish: true } as const;
    const common = { stack: "prod", image: IMAGE, bucket, secretArns, keyArn: KEY };
    const runner = new BackupRunner("runner", {
      ...{ ...common, jobs: [{ ...app, report }], roles: { app: { report: role("report") } } },
    });
    await registered(runner);
    const { policies } = runner.tasks.app?.report ?? {};
    const folder = "arn:aws:s3:::prod-backups/prod/app";
    const create = { "s3:if-none-match": "*", "s3:ObjectCreationOperation": "true" };
    expect(await may(policies, "s3:PutObject", `${folder}/reports/20261124T070000Z.html`, create)).toBe(true);
    expect(await may(policies, "s3:PutObject", `${folder}/20261124T030000Z-abcdef/manifest.json`, create)).toBe(false);
    expect(await may(policies, "s3:GetObject", `${folder}/20261124T030000Z-abcdef/database.dump.zst`)).toBe(false);
  });
});

describe("existing roles of the scheduler and the state machine", () => {
  it("run every task, and come with the policies that they need", async () => {
    const recorded = await mockEngine();
    const entry = (family: string) => ({
      schedule: { cron: "0 3 * * *", timezone: "UTC" },
      family,
      taskDefinitionArn: `arn:aws:ecs:${REGION}:${ACCOUNT}:task-definition/${family}:7`,
      roleArns: [role(family), role("start")],
    });
    const families = ["provision_prod_app_backup", "provision_prod_web_backup"];
    const schedule = new BackupSchedule("schedule", {
      stack: "prod",
      entries: Object.fromEntries(families.map((family) => [family, entry(family)])),
      clusterArn: CLUSTER,
      network: { subnetIds: ["subnet-1"], securityGroupIds: ["sg-1"], assignPublicIp: true },
      keyArn: KEY,
      roleArn: role("scheduler"),
      machineRoleArn: role("machine"),
    });
    await registered(schedule);
    expect(rolesIn(recorded)).toEqual([]);
    const targets = recorded
      .filter(({ type }) => type === "aws:scheduler/schedule:Schedule")
      .map(({ inputs }) => (inputs.target as { roleArn: unknown }).roleArn);
    expect(targets).toEqual([role("scheduler"), role("scheduler")]);
    expect(await Promise.all(schedule.roleArns.map(unwrap))).toEqual([role("scheduler")]);
    const definition = (family: string) => `arn:aws:ecs:${REGION}:${ACCOUNT}:task-definition/${family}:7`;
    for (const family of families) {
      expect(await may(schedule.machinePolicies, "ecs:RunTask", definition(family), { "ecs:cluster": CLUSTER })).toBe(
        true,
      );
      const toTasks = { "iam:PassedToService": "ecs-tasks.amazonaws.com" };
      expect(await may(schedule.machinePolicies, "iam:PassRole", role(family), toTasks)).toBe(true);
    }
    const other = definition("other");
    expect(await may(schedule.machinePolicies, "ecs:RunTask", other, { "ecs:cluster": CLUSTER })).toBe(false);
    const machine = recorded.find(({ type }) => type === "aws:sfn/stateMachine:StateMachine");
    expect(machine?.inputs.roleArn).toBe(role("machine"));
    const start = "states:StartExecution";
    const machineArn = `arn:aws:states:${REGION}:${ACCOUNT}:stateMachine:schedule-prod-run`;
    expect(await may(schedule.policies, start, machineArn)).toBe(true);
    expect(await may(schedule.policies, start, `${machineArn}-2`)).toBe(false);
    expect(await trusted(schedule.machinePolicies)).toEqual([
      ["Allow", { Service: "states.amazonaws.com" }, "sts:AssumeRole", expect.anything()],
    ]);
    expect(await trusted(schedule.policies)).toEqual([
      ["Allow", { Service: "scheduler.amazonaws.com" }, "sts:AssumeRole", expect.anything()],
    ]);
  });
});

describe("provision:aws.roles", () => {
  async function deploy(roles: object) {
    const calls = {
      "aws:ec2/getVpcs:getVpcs": { ids: ["vpc-1"] },
      "aws:ec2/getSubnets:getSubnets": { ids: ["subnet-1"] },
    };
    const recorded = await mockEngine({ calls });
    const names = ["ageIdentity", "appUrl", "drillUrl", "dropboxToken", "sentryDsn"];
    const backups = new AwsBackups("provision", {
      stack: "prod",
      region: REGION,
      aws: AwsSettings.parse({ image: IMAGE, roles }) as AwsSettings,
      jobs: [app, web],
      secrets: Object.fromEntries(names.map((name) => [name, name])),
      jobSecretNames: names,
      source: process.cwd(),
    });
    await registered(backups);
    return { recorded, backups };
  }

  it("holds for all jobs but those that it names, and stands in the outputs", async () => {
    const { recorded, backups } = await deploy({
      execution: role("start"),
      backup: role("backup"),
      scheduler: role("scheduler"),
      stateMachine: role("machine"),
      jobs: { web: { backup: role("web-backup") } },
    });
    const { app: ofApp, web: ofWeb } = backups.jobs;
    expect(Object.keys(ofApp?.policies ?? {}).sort()).toEqual(["backup", "execution"]);
    expect(await unwrap(ofApp?.roles.backup ?? expect.fail())).toBe(role("backup"));
    expect(await unwrap(ofWeb?.roles.backup ?? expect.fail())).toBe(role("web-backup"));
    expect(backups.schedulerPolicies).toBeDefined();
    expect(backups.stateMachinePolicies).toBeDefined();
    expect(rolesIn(recorded).filter((name) => /-(start|backup|start-run|run-tasks)(-policy)?$/.test(name))).toEqual([]);
  });

  it("tells nothing where the stack makes all roles", async () => {
    const { backups } = await deploy({});
    expect(backups.jobs.app).not.toHaveProperty("policies");
    expect(backups.schedulerPolicies).toBeUndefined();
  });
});
