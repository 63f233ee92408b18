import { vi } from "vitest";

/**
 * Waits until all that is expected holds. Much longer than Vitest's own second, for which a machine that builds or writes
 * beside the tests may well be busy; and it takes no longer than it must.
 */
export function eventually<T>(expectations: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(expectations, { timeout: 20_000, interval: 20 });
}
