/** The first character of a key, if any, whose place differs between the two orders. */
const HIGH = /[\ud800-\uffff]/;

/**
 * What a store gives in the order of UTF-8 bytes, in the order of UTF-16 code units, in which `list` must give it.
 *
 * The orders differ only among keys that hold characters from U+D800 on, and there only among those that are equal up to
 * the first such character: these alone are held back and sorted.
 */
export async function* byCodeUnits<T extends { readonly key: string }>(items: AsyncIterable<T>): AsyncGenerator<T> {
  let held: T[] = [];
  let common = "";
  for await (const item of items) {
    if (held.length > 0 && !item.key.startsWith(common)) {
      yield* sorted(held);
      held = [];
    }
    if (held.length === 0) {
      const high = item.key.search(HIGH);
      if (high < 0) {
        yield item;
        continue;
      }
      common = item.key.slice(0, high);
    }
    held.push(item);
  }
  yield* sorted(held);
}

function sorted<T extends { readonly key: string }>(items: readonly T[]): T[] {
  return items.toSorted((a, b) => (a.key < b.key ? -1 : 1));
}
