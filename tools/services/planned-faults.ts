/** What a service is to do wrong, and with which requests. */
export class PlannedFaults<Endpoint extends string, Fault> {
  readonly #planned: { readonly endpoint: Endpoint | "*"; after: number; readonly fault: Fault }[] = [];

  /** How many have not come up. */
  get pending(): number {
    return this.#planned.length;
  }

  /** Adds one at an endpoint (`*` is any), from the request on that comes after so many others, and so many times. */
  add(endpoint: Endpoint | "*", fault: Fault, { after = 0, times = 1 }: { after?: number; times?: number } = {}): void {
    for (let time = 0; time < times; time += 1) this.#planned.push({ endpoint, after: time === 0 ? after : 0, fault });
  }

  /** What goes wrong with the next request to an endpoint; undefined for nothing. */
  next(endpoint: Endpoint): Fault | undefined {
    const first = this.#planned.find((planned) => planned.endpoint === endpoint || planned.endpoint === "*");
    if (first === undefined) return undefined;
    if (first.after > 0) {
      first.after -= 1;
      return undefined;
    }
    this.#planned.splice(this.#planned.indexOf(first), 1);
    return first.fault;
  }
}
