/**
 * A plain model of how CloudWatch evaluates an alarm with periods of an hour, from its documentation:
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html and …/using-metric-math.html.
 * What that leaves open is a {@link Reading}.
 */

export type AlarmState = "ALARM" | "OK" | "INSUFFICIENT_DATA";

/** What the documentation leaves open. */
export interface Reading {
  /** Periods that are looked at beyond those of the alarm: "a higher number of data points", which is not said. */
  readonly furtherPeriods: number;
  /** Whether FILL fills a metric that has no value at all. */
  readonly fillsEmpty: boolean;
}

/** Values by the number of the hour since 1970. A metric without a value in an hour has none here. */
export type Metric = ReadonlyMap<number, number>;

type Inputs = Readonly<Record<string, unknown>>;
type Series = readonly (number | undefined)[];
type Value = number | Series;

interface Query {
  readonly id: string;
  readonly metric?: { readonly metricName: string };
  readonly expression?: string;
  readonly returnData: boolean;
}

/** An alarm's state after the hour `now`, for the metrics by name. */
export function evaluate(
  alarm: Inputs,
  metrics: Readonly<Record<string, Metric>>,
  now: number,
  before: AlarmState,
  reading: Reading,
): AlarmState {
  const periods = Number(alarm.evaluationPeriods);
  const hours = Array.from({ length: periods + reading.furtherPeriods }, (_, back) => now - back).reverse();
  const valuesOf = (name: string) => hours.map((hour) => metrics[name]?.get(hour));
  const points = watched(alarm, hours, valuesOf, reading);
  const real = points.filter((point) => point !== undefined);
  const missing = alarm.treatMissingData;
  if (real.length === 0 && missing === "missing") return "INSUFFICIENT_DATA";
  if (real.length < periods && missing === "ignore") return before;
  // As many as there are of the alarm's periods; "missing data points as few times as possible".
  const breaching = real.slice(-periods).filter((point) => breaches(alarm, point)).length;
  const filled = missing === "breaching" ? Math.max(0, periods - real.length) : 0;
  return breaching + filled >= Number(alarm.datapointsToAlarm ?? periods) ? "ALARM" : "OK";
}

/** The changes of an alarm's state from its creation on, hour by hour: each with the hour after which it came. */
export function changes(
  alarm: Inputs,
  metrics: Readonly<Record<string, Metric>>,
  from: number,
  to: number,
  reading: Reading,
): [hour: number, state: AlarmState][] {
  const found: [number, AlarmState][] = [];
  let state: AlarmState = "INSUFFICIENT_DATA";
  for (let now = from; now < to; now += 1) {
    const next = evaluate(alarm, metrics, now, state, reading);
    if (next !== state) found.push([now, next]);
    state = next;
  }
  return found;
}

function breaches({ comparisonOperator, threshold }: Inputs, point: number): boolean {
  switch (comparisonOperator) {
    case "LessThanThreshold":
      return point < Number(threshold);
    case "GreaterThanOrEqualToThreshold":
      return point >= Number(threshold);
    default:
      throw new Error(`the model has no ${String(comparisonOperator)}`);
  }
}

function watched(
  alarm: Inputs,
  hours: readonly number[],
  valuesOf: (name: string) => Series,
  reading: Reading,
): Series {
  const queries = alarm.metricQueries as readonly Query[] | undefined;
  if (queries === undefined) return valuesOf(String(alarm.metricName));
  const metricOf = (id: string) => valuesOf(queries.find((query) => query.id === id)?.metric?.metricName ?? id);
  const returned = queries.find(({ returnData }) => returnData);
  const value = new Expression(returned?.expression ?? "", hours, metricOf, reading).value();
  return typeof value === "number" ? hours.map(() => value) : value;
}

/** Metric math, as far as the alarms use it. */
class Expression {
  readonly #tokens: string[];
  readonly #hours: readonly number[];
  readonly #metricOf: (id: string) => Series;
  readonly #reading: Reading;

  constructor(text: string, hours: readonly number[], metricOf: (id: string) => Series, reading: Reading) {
    this.#tokens = text.match(/[A-Za-z_]+|\d+|>=|[<>(),]/g) ?? [];
    this.#hours = hours;
    this.#metricOf = metricOf;
    this.#reading = reading;
  }

  /** comparison (AND comparison)* */
  value(): Value {
    let left = this.#comparison();
    while (this.#tokens[0] === "AND") {
      this.#tokens.shift();
      left = this.#each([left, this.#comparison()], ([one, other]) => Number(one !== 0 && other !== 0));
    }
    return left;
  }

  #comparison(): Value {
    const left = this.#operand();
    const operator = this.#tokens[0];
    if (operator !== "<" && operator !== ">") return left;
    this.#tokens.shift();
    return this.#each([left, this.#operand()], ([one = 0, other = 0]) =>
      Number(operator === "<" ? one < other : one > other),
    );
  }

  #operand(): Value {
    const token = this.#tokens.shift() ?? "";
    if (/^\d/.test(token)) return Number(token);
    if (this.#tokens[0] !== "(") return this.#metricOf(token);
    const given: Value[] = [];
    // After the opening parenthesis, and after each comma.
    while (this.#tokens.length > 0 && this.#tokens.shift() !== ")") given.push(this.value());
    return this.#call(token, given);
  }

  #call(name: string, given: readonly Value[]): Value {
    const [first = 0, second = 0, third = 0] = given;
    const series = this.#series(first);
    switch (name) {
      case "EPOCH":
        // "A new non-sparse time series where each value is based on its timestamp."
        return this.#hours.map((hour) => hour * 3600);
      case "FILL":
        if (!this.#reading.fillsEmpty && series.every((value) => value === undefined)) return series;
        return series.map((value) => value ?? Number(second));
      case "RUNNING_SUM": {
        let sum = 0;
        return series.map((value) => (value === undefined ? undefined : (sum += value)));
      }
      case "SUM": {
        // "The SUM of a single time series returns a scalar."
        const values = series.filter((value) => value !== undefined);
        return values.length === 0 ? series : values.reduce((sum, value) => sum + value, 0);
      }
      case "IF": {
        const [yes, no] = [this.#series(second), this.#series(third)];
        return series.map((value, index) => (value === undefined ? undefined : (value === 0 ? no : yes)[index]));
      }
      default:
        throw new Error(`the model has no ${name}`);
    }
  }

  #series(value: Value): Series {
    return typeof value === "number" ? this.#hours.map(() => value) : value;
  }

  /** A value for each hour in which all operands have one. */
  #each(operands: readonly Value[], compute: (values: readonly number[]) => number): Series {
    const all = operands.map((operand) => this.#series(operand));
    return this.#hours.map((_, index) => {
      const values = all.flatMap((series) => series[index] ?? []);
      return values.length === all.length ? compute(values) : undefined;
    });
  }
}
