import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Hand, Reach } from "./hands/hand.ts";
import { handBefore, handBetween } from "./hands/hands.ts";
import { plant, type Hostile } from "./hands/hostile.ts";
import { harmNewest } from "./hands/harm.ts";
import type { Ended, Invocation } from "./invocation.ts";
import { checkList, checkVerify } from "./oracle/answers.ts";
import { Judge } from "./oracle/judge.ts";
import { checkLeftovers, checkModes, checkProcesses, checkSessions } from "./oracle/leftovers.ts";
import { checkWords } from "./oracle/words.ts";
import {
  checkBackup,
  checkEnd,
  checkVerdicts,
  describe,
  isGood,
  lastLines,
  type Broken,
  type StoreState,
} from "./oracle/promises.ts";
import { checkDrill, checkRestore, restoreByHand } from "./oracle/restored.ts";
import { checkKept, Order } from "./oracle/retention.ts";
import type { CommandName, Scenario } from "./scenario.ts";
import { clockOf, momentCame, prepare, strike, type Struck } from "./strike.ts";
import { Workplace } from "./servers/workplace.ts";
import type { World } from "./servers/world.ts";

/** What became of one run. */
export interface Outcome {
  readonly scenario: Scenario;
  readonly hit: boolean;
  /** What the fault exactly was. */
  readonly what: string;
  /** How the struck command ended: its code, or the signal. */
  readonly end: string;
  readonly seconds: number;
  readonly broken: readonly Broken[];
  /** All commands with what they printed, for the report of a failure. */
  readonly commands: readonly Ended[];
}

/** Makes one run, and judges it. @throws {Error} where the harness itself fails */
export async function makeRun(scenario: Scenario, world: World): Promise<Outcome> {
  const fillable = scenario.fault.name === "disk full" || scenario.fault.name === "scratch full";
  const place = await Workplace.open(world, scenario.job, fillable);
  const keys = mkdtempSync("/tmp/faults-keys-");
  try {
    const identityFile = join(keys, "identity.txt");
    writeFileSync(identityFile, world.identity, { mode: 0o600 });
    return await new OneRun(scenario, place, identityFile).make();
  } finally {
    await world.s3?.recover();
    await world.postgres.recover();
    await place.close();
    rmSync(keys, { recursive: true, force: true });
  }
}

class OneRun {
  readonly #scenario: Scenario;
  readonly #place: Workplace;
  readonly #judge: Judge;
  readonly #order = new Order();
  readonly #broken: Broken[] = [];
  readonly #commands: Ended[] = [];
  /** Backups that were damaged on purpose, as `store/backup`. */
  readonly #harmed = new Set<string>();
  #states: StoreState[] = [];
  #hand: Hand | undefined;
  #handHit = true;

  constructor(scenario: Scenario, place: Workplace, identityFile: string) {
    this.#scenario = scenario;
    this.#place = place;
    this.#judge = new Judge({
      stack: "faults",
      job: "app",
      encrypted: scenario.job.encrypted,
      signingKey: scenario.job.signed ? place.world.signingKey : undefined,
      databases: place.sources,
      files: scenario.job.files
        ? [...place.files.values()].map((bytes) => createHash("sha256").update(bytes).digest("hex"))
        : undefined,
      identityFile,
      programs: place.world.postgres.programs,
    });
  }

  async make(): Promise<Outcome> {
    const begun = performance.now();
    try {
      return await this.#steps(begun);
    } finally {
      await this.#hand?.remove();
    }
  }

  async #steps(begun: number): Promise<Outcome> {
    const { before, command, fault, after } = this.#scenario;
    await this.#look();
    await this.#let(await handBefore(this.#reach));
    for (let made = 0; made < before; made += 1) await this.#unfaulted("backup");
    const hostile = fault.name === "hostile folder" && before > 0 ? await this.#plant() : undefined;
    await this.#let(await handBetween(this.#reach, (running) => this.#momentOf(running)));
    const { struck, ended } = await this.#faulted(command);
    hostile?.remove();
    if (fault.name.startsWith("clock ") && fault.which * 8 - Math.floor(fault.which * 8) > 0.5)
      await this.#harmAndVerify();
    if (after !== undefined) await this.#truthful(after);
    await this.#recover();
    return {
      scenario: this.#scenario,
      hit: struck.hit && this.#handHit,
      what: hostile?.what ?? this.#hand?.what ?? struck.what,
      end: String(ended.code ?? ended.signal),
      seconds: (performance.now() - begun) / 1000,
      broken: this.#broken,
      commands: this.#commands,
    };
  }

  get #reach(): Reach {
    return { scenario: this.#scenario, place: this.#place, judge: this.#judge, states: () => this.#states };
  }

  /** Lets a hand be there from now on: what it harms is not the runner's. */
  async #let(hand: Hand | undefined): Promise<void> {
    if (hand === undefined) return;
    this.#hand = hand;
    for (const each of hand.harmed) this.#harmed.add(each);
    await this.#look();
  }

  #momentOf(running: Invocation): Promise<boolean> {
    const over = new AbortController();
    void running.ended.finally(() => {
      over.abort();
    });
    const { fault } = this.#scenario;
    const moment = { ...fault.moment, plus: fault.moment.plus ** 2 / 3 };
    return momentCame({ ...fault, moment }, this.#place, running, over.signal);
  }

  /** The command that is struck, and what must hold whatever became of it. */
  async #faulted(command: CommandName): Promise<{ struck: Struck; ended: Ended }> {
    const { fault } = this.#scenario;
    const pings = this.#place.webhook.pings.length;
    await this.#prepareTargets(command);
    const running = this.#place.start(this.#args(command), prepare(fault));
    const second = fault.name === "two runs" ? this.#second(fault.moment.plus) : undefined;
    const acting = this.#hand?.act?.(running);
    const struck = await strike(fault, this.#place, running);
    const ended = await running.ended;
    this.#handHit = (await acting) ?? true;
    await struck.heal();
    for (const each of struck.harmed) this.#harmed.add(each);
    this.#commands.push(ended);
    const terminated = fault.name === "forged archive" ? "SIGTERM" : undefined;
    const sent = fault.name.startsWith("runner ") && struck.hit ? (fault.name.slice(7) as NodeJS.Signals) : terminated;
    this.#report(checkEnd(ended, sent), await this.#afterwards(ended));
    const other = await second;
    if (other !== undefined) {
      this.#commands.push(other);
      this.#report(checkEnd(other), await this.#afterwards(other));
      if (command === "backup") this.#checkTwo(ended, other);
    }
    const before = this.#states;
    await this.#look();
    // What was damaged just now was good when the run chose what to keep.
    if (struck.harmed.length > 0) this.#excuse(before);
    if (command === "backup" && other === undefined) {
      this.#report(checkBackup(ended, before, this.#states, this.#harmed));
      if (sent !== "SIGKILL" && !["monitor hangs", "two hosts"].includes(fault.name)) this.#checkMonitor(ended, pings);
    }
    this.#judgeStates(before, fault.name.startsWith("store flips"));
    await this.#checkTargets(command, ended);
    this.#report((await this.#hand?.check(command, ended)) ?? []);
    return { struck, ended };
  }

  /** Counts what is gone since as lost by the damage, and not by the run. */
  #excuse(before: readonly StoreState[]): void {
    for (const [index, { backups }] of before.entries()) {
      if (![...this.#harmed].some((each) => each.startsWith(`${index}/`))) continue;
      const here = new Set(this.#states[index]?.backups.map(({ id }) => id));
      for (const { id } of backups) if (!here.has(id)) this.#harmed.add(`${index}/${id}`);
    }
  }

  /** A backup at the same time. */
  async #second(plus: number): Promise<Ended> {
    await sleep(plus * (this.#place.world.pace.get(this.#scenario.job.source) ?? 1_500));
    return this.#place.start(["backup"]).ended;
  }

  #checkTwo(first: Ended, second: Ended): void {
    for (const { code, stderr } of [first, second]) {
      if (code === 0 || code === 6) continue;
      this.#report([
        { promise: "the next run succeeds", detail: `of two, one ended with ${String(code)}: ${lastLines(stderr)}` },
      ]);
    }
  }

  /** A command in a world without faults: it must do what it is for. */
  async #unfaulted(command: CommandName): Promise<Ended> {
    const pings = this.#place.webhook.pings.length;
    const ended = await this.#place.start(this.#args(command)).ended;
    this.#commands.push(ended);
    this.#report(checkEnd(ended), await this.#afterwards(ended));
    const before = this.#states;
    await this.#look();
    if (command === "backup") {
      // Nothing is pruned while there is a backup from the future, and the run says so; the backup itself must be there.
      const mayNotPrune = this.#scenario.fault.name === "clock ahead" && ended.code === 3;
      if (ended.code !== 0 && !mayNotPrune) {
        const detail = `it ended with ${String(ended.code)}: ${lastLines(ended.stderr, 6)}`;
        this.#report([{ promise: "the next run succeeds", detail }]);
      }
      this.#place.world.pace.set(this.#scenario.job.source, ended.seconds * 1000);
      this.#report(checkBackup(mayNotPrune ? { code: 0 } : ended, before, this.#states, new Set()));
      this.#checkMonitor(ended, pings);
    }
    this.#judgeStates(before, false);
    this.#report((await this.#hand?.check(command, ended)) ?? []);
    return ended;
  }

  async #truthful(command: CommandName): Promise<void> {
    await this.#prepareTargets(command);
    const ended = await this.#unfaulted(command);
    // What was harmed behind its back may have been harmed since it was judged last.
    const { planted } = this.#hand ?? {};
    if (command === "verify" && planted === undefined) this.#report(checkVerify(ended, this.#states));
    if (command === "list") this.#report(checkList(ended, this.#states, planted));
    await this.#checkTargets(command, ended);
  }

  /** A backup that was made under a wrong clock is damaged, and is then found to be by a right one. */
  async #harmAndVerify(): Promise<void> {
    const { fault } = this.#scenario;
    const { harmed } = await harmNewest("object damaged", this.#place, fault.which, 0);
    for (const each of harmed) this.#harmed.add(each);
    await this.#unfaulted("verify");
  }

  async #plant(): Promise<Hostile> {
    const hostile = plant(this.#place.stores[0]?.folder ?? "", this.#scenario.fault.which, this.#scenario.job.signed);
    // What is planted is not the runner's, and neither is what is planted into a backup.
    for (const { id, folder } of (await this.#lookAt()).flatMap(({ backups }) => backups)) {
      if (hostile.paths.some((path) => path.startsWith(folder))) this.#harmed.add(`0/${id}`);
    }
    await this.#look();
    return hostile;
  }

  /** The next run, which nothing strikes: it must work, and leave nothing of what went before. */
  async #recover(): Promise<void> {
    // A prune leaves what may be of a run of the same second: that is all that a name tells.
    await sleep(1_000 - (Date.now() % 1_000));
    const { ended } = { ended: await this.#unfaulted("backup") };
    await this.#unfaulted("prune");
    // A store that was tidied by its forger tells what the runner has left.
    await this.#hand?.remove();
    await this.#look();
    const { name } = this.#scenario.fault;
    if (clockOf(this.#scenario.fault) === undefined && name !== "two hosts" && ended.code === 0) {
      this.#report(checkLeftovers(this.#states, this.#place.scratch, this.#hand?.planted));
    }
    if (this.#scenario.deep) await this.#compare();
    const folders = this.#place.stores.flatMap(({ kind, folder }) =>
      kind === "filesystem" && folder !== undefined ? [folder] : [],
    );
    if (this.#harmed.size === 0 && this.#scenario.fault.name !== "hostile folder") {
      this.#report(await checkModes([this.#place.scratch, ...folders]));
    }
    this.#report(await checkWords(this.#place, this.#commands, this.#states));
  }

  /** Restores the newest good backup of a store by hand. */
  async #compare(): Promise<void> {
    const { postgres, contents } = this.#place.world;
    const newest = this.#states[0]?.backups.filter(isGood).at(-1);
    if (newest === undefined) return;
    const differences = await restoreByHand(newest, this.#judge, postgres, contents);
    if (differences.length === 0) return;
    const detail = `restored by hand, ${describe(newest)} differs: ${differences.slice(0, 3).join("; ")}`;
    this.#report([{ promise: "0 means a good new backup in every destination", detail }]);
  }

  #judgeStates(before: readonly StoreState[], mayBeUnsound: boolean): void {
    const { job, fault } = this.#scenario;
    const clockWasWrong = clockOf(fault) !== undefined || fault.name === "two hosts";
    this.#report(checkVerdicts(this.#states, this.#harmed, mayBeUnsound || fault.name.startsWith("store flips")));
    this.#report(checkKept(before, this.#states, this.#order, { keep: job.keep, harmed: this.#harmed, clockWasWrong }));
  }

  /** A run that checks in tells its end: success or failure, as its code does. */
  #checkMonitor({ code, stderr }: Ended, from: number): void {
    // A run that was ended before it began has told nobody that it began.
    if (!this.#scenario.job.webhook || code === 2 || (code !== 0 && !stderr.includes("run: in_progress"))) return;
    const signals = this.#place.webhook.pings.slice(from).map(({ signal }) => signal);
    const due = code === 0 ? "success" : "fail";
    if (signals.at(-1) === due) return;
    const detail = `the run ended with ${String(code)}, and the monitor heard ${signals.join(", ") || "nothing"}: ${lastLines(stderr)}`;
    this.#report([{ promise: "monitors hear the end of every run", detail }]);
  }

  async #afterwards(ended: Ended): Promise<Broken[]> {
    const { postgres } = this.#place.world;
    const processes = await checkProcesses(ended);
    const up = await postgres.sql("postgres", "SELECT 1;").catch(() => []);
    return [
      ...processes,
      ...(up.length > 0 && this.#scenario.fault.name !== "two runs" ? await checkSessions(ended, postgres) : []),
    ];
  }

  async #prepareTargets(command: CommandName): Promise<void> {
    if (command !== "restore") return;
    const { postgres } = this.#place.world;
    for (const name of await postgres.sql(
      "postgres",
      "SELECT datname FROM pg_database WHERE datname LIKE 'target%';",
    )) {
      await postgres.sql("postgres", `DROP DATABASE "${name}" WITH (FORCE);`);
    }
    await postgres.sql("postgres", "CREATE DATABASE target TEMPLATE template0;");
  }

  async #checkTargets(command: CommandName, ended: Ended): Promise<void> {
    const { postgres, contents } = this.#place.world;
    if (command === "restore") {
      this.#report(await checkRestore(ended, postgres, contents.get(this.#scenario.job.source) ?? []));
    }
    if (command !== "drill") return;
    const { name, lasts } = this.#scenario.fault;
    const away = name === "server killed" || (name.startsWith("database ") && lasts === undefined);
    this.#report(await checkDrill(ended, postgres, away));
  }

  #args(command: CommandName): string[] {
    const { job, parallelRestore, fault } = this.#scenario;
    switch (command) {
      case "backup":
        return ["backup"];
      case "verify":
        return ["verify", ...(fault.which < 0.7 ? ["--all"] : [])];
      case "list":
        return ["list", "--json"];
      case "restore": {
        const several = job.dump === "several" ? ["--database", job.source] : [];
        return ["restore", "--to", "env:TARGET_URL", ...(parallelRestore ? ["--jobs", "2"] : []), ...several];
      }
      case "drill":
        return ["drill"];
      case "prune":
        return ["prune"];
      case "copy":
        return ["copy", "--all", "--from", "0", "--to", "1"];
    }
  }

  async #look(): Promise<void> {
    this.#states = await this.#lookAt();
    this.#order.look(this.#states);
  }

  async #lookAt(): Promise<StoreState[]> {
    const states: StoreState[] = [];
    for (const store of this.#place.stores) {
      const { folder, unfinished } = await store.export();
      states.push({ backups: await this.#judge.judge(folder), unfinished });
    }
    return states;
  }

  #report(...found: readonly (readonly Broken[])[]): void {
    for (const each of found.flat()) {
      // What stays broken is found again after each command.
      const known = this.#broken.some(({ promise, detail }) => promise === each.promise && detail === each.detail);
      if (!known) this.#broken.push(each);
    }
  }
}
