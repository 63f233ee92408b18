import { expect, it } from "vitest";
import { MemoryBudget } from "../../../../runner/operations/files/memory-budget.ts";

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;

/** Begins to copy files of some sizes, and says which are under way; `end` ends the first of these. */
function begin(parallel: number, sizes: readonly number[], stores: readonly { readonly heldBytes?: number }[]) {
  const budget = new MemoryBudget(parallel);
  const underWay: { readonly file: number; readonly end: (error?: Error) => void }[] = [];
  const copies = sizes.map((size, file) =>
    budget.use(
      size,
      stores,
      () =>
        new Promise<number>((resolve, reject) => {
          const end = (error?: Error) => {
            underWay.splice(
              underWay.findIndex((each) => each.file === file),
              1,
            );
            if (error === undefined) resolve(file);
            else reject(error);
          };
          underWay.push({ file, end });
        }),
    ),
  );
  const now = async () => {
    await new Promise((resolve) => setImmediate(resolve));
    return underWay.map(({ file }) => file);
  };
  return { copies, now, end: (error?: Error) => underWay[0]?.end(error) };
}

const twice = [{ heldBytes: 12 * MiB }, { heldBytes: 12 * MiB }];

it("lets as many small files begin as there are, whatever the destinations", async () => {
  const { now } = begin(4, [0, 1000, 100_000, MiB], twice);
  expect(await now()).toEqual([0, 1, 2, 3]);
});

it("lets only as many large files begin as fit, in their order, and small ones after them", async () => {
  // Each takes 8 MiB, and 16 MiB for each destination: 40 of 64 MiB.
  const { now, end, copies } = begin(4, [GiB, GiB, 1000], twice);
  expect(await now()).toEqual([0]);
  end();
  expect(await now()).toEqual([1, 2]);
  end();
  end();
  expect(await Promise.all(copies)).toEqual([0, 1, 2]);
});

it("lets more of them begin where there are fewer destinations, or their uploads hold less", async () => {
  expect(await begin(4, [GiB, GiB, GiB], [{ heldBytes: 12 * MiB }]).now()).toEqual([0, 1]);
  expect(await begin(4, [GiB, GiB, GiB, GiB, GiB, GiB], [{}]).now()).toEqual([0, 1, 2, 3, 4]);
});

it("lets one begin alone that takes more than there is", async () => {
  const { now, end } = begin(1, [GiB, GiB], [...twice, ...twice]);
  expect(await now()).toEqual([0]);
  end();
  expect(await now()).toEqual([1]);
});

it("gives back the room of a file that fails", async () => {
  const { now, end, copies } = begin(1, [GiB, GiB], twice);
  await now();
  end(new Error("it is gone"));
  await expect(copies[0]).rejects.toThrow("it is gone");
  expect(await now()).toEqual([1]);
});
