import { describe, expect, it } from "vitest";
import { BackupDashboard } from "../../../components/aws/backup-dashboard.ts";
import { inputsOf, longStacks, watchOptions } from "../../helpers/aws.ts";
import { mockEngine, registered, unwrap } from "../../helpers/mocks.ts";

interface Widget {
  readonly type: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly properties: { readonly title?: string; readonly region?: string; readonly metrics?: unknown[][] };
}

function widgetsOf(inputs: Readonly<Record<string, unknown>>): Widget[] {
  return (JSON.parse(String(inputs.dashboardBody)) as { widgets: Widget[] }).widgets;
}

const jobs = (count: number) => Array.from({ length: count }, (_, index) => ({ name: `job-${index}` }));

describe.each([false, true])("BackupDashboard (preview: %s)", (preview) => {
  it("shows age, size, duration and outcome of each job", async () => {
    const recorded = await mockEngine({ preview });
    const dashboard = new BackupDashboard("dashboard", { stack: "prod", jobs: jobs(2), region: "eu-central-1" });
    await registered(dashboard);
    const inputs = inputsOf(recorded, "cloudwatch/dashboard:Dashboard");
    expect(inputs.dashboardName).toBe("provision-prod-eu-central-1");
    const [title, ...graphs] = widgetsOf(inputs);
    expect(title?.type).toBe("text");
    expect(graphs.map(({ properties }) => properties.title)).toEqual([
      "job-0: age",
      "job-0: size",
      "job-0: duration",
      "job-0: outcome",
      "job-1: age",
      "job-1: size",
      "job-1: duration",
      "job-1: outcome",
    ]);
    for (const { properties } of graphs) expect(properties.region).toBe("eu-central-1");
    const metrics = graphs.slice(4).map(({ properties }) => properties.metrics?.map((line) => line.slice(0, -1)));
    const of = (...all: string[]) => all.map((metric) => ["Provision", metric, "stack", "prod", "job", "job-1"]);
    expect(metrics).toEqual([
      of("NewestVerifiedAge"),
      of("PlainBytes", "StoredBytes"),
      of("RunDuration"),
      of("RunSucceeded", "RunPartial", "RunFailed"),
    ]);
    expect(await unwrap(dashboard.name)).toBe("provision-prod-eu-central-1");
    expect(await unwrap(dashboard.url)).toBe(
      "https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1#dashboards/dashboard/provision-prod-eu-central-1",
    );
  });
});

describe("BackupDashboard", () => {
  it.each([0, 1, 25, 26, 200, 350, 351, 800])("keeps within CloudWatch's limits with %d jobs", async (count) => {
    const recorded = await mockEngine();
    await registered(new BackupDashboard("dashboard", { stack: "prod", jobs: jobs(count), region: "eu-central-1" }));
    const pages = recorded.filter(({ type }) => type.endsWith(":Dashboard"));
    expect(pages).toHaveLength(Math.max(1, Math.ceil(count / 350)));
    const seen = new Set<unknown>();
    for (const { inputs } of pages) {
      const widgets = widgetsOf(inputs);
      const lines = widgets.flatMap(({ properties }) => properties.metrics ?? []);
      expect(widgets.length).toBeLessThanOrEqual(101);
      expect(lines.length).toBeLessThanOrEqual(2500);
      for (const line of lines) seen.add(line[5]);
      const places = new Set(widgets.map(({ x, y }) => `${x} ${y}`));
      expect(places.size).toBe(widgets.length);
      for (const { x, width } of widgets) expect(x + width).toBeLessThanOrEqual(24);
    }
    expect(seen.size).toBe(count);
    expect(new Set(pages.map(({ inputs }) => inputs.dashboardName)).size).toBe(pages.length);
  });

  it("names the dashboards of two long stacks apart, within 255 characters", async () => {
    const recorded = await mockEngine();
    await registered(
      ...longStacks.map((stack) => new BackupDashboard(stack, { stack, jobs: jobs(1), region: "eu-central-1" })),
    );
    const all = recorded
      .filter(({ type }) => type.endsWith(":Dashboard"))
      .map(({ inputs }) => String(inputs.dashboardName));
    expect(all).toEqual(longStacks.map((stack) => `provision-${stack}-eu-central-1`));
  });

  it("names the dashboards of one stack in two regions apart, as an account has each name once for all regions", async () => {
    const recorded = await mockEngine();
    const regions = ["eu-central-1", "us-east-1"];
    await registered(
      ...regions.map((region) => new BackupDashboard(region, { stack: "prod", jobs: jobs(351), region })),
    );
    const all = recorded.filter(({ type }) => type.endsWith(":Dashboard")).map(({ inputs }) => inputs.dashboardName);
    expect(all.sort()).toEqual([
      "provision-prod-eu-central-1",
      "provision-prod-eu-central-1-2",
      "provision-prod-us-east-1",
      "provision-prod-us-east-1-2",
    ]);
  });
});

describe("the dashboards of an account", () => {
  it("are several where facades, or projects, name their stacks alike; one that exists keeps its name", async () => {
    const watch = watchOptions();
    const recorded = await mockEngine();
    for (const owner of ["crm_prod_provision", "shop_prod_provision", "shop_prod_archive"]) {
      const args = { stack: "prod", jobs: jobs(1), region: "eu-central-1", owner };
      const dashboard = new BackupDashboard(owner, args, watch.opts);
      await registered(dashboard);
      expect(await unwrap(dashboard.name)).toBe(`${owner}-eu-central-1`);
      expect(await unwrap(dashboard.url)).toMatch(new RegExp(`#dashboards/dashboard/${owner}-eu-central-1$`));
      expect(watch.of(owner).ignoreChanges).toEqual(["dashboardName"]);
    }
    const names = recorded.flatMap(({ inputs }) => inputs.dashboardName ?? []);
    expect(new Set(names).size).toBe(3);
  });
});
