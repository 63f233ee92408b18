import { z } from "zod";

/**
 * A list whose first wrong item ends the check. `z.array` gathers an issue for each: of a hostile list with a hundred thousand
 * of them that takes more memory than everything else.
 */
export function listOf<Item extends z.ZodType>(item: Item) {
  return z.array(z.unknown()).transform((items, context): z.output<Item>[] => {
    const list: z.output<Item>[] = [];
    for (const [index, value] of items.entries()) {
      const parsed = item.safeParse(value);
      if (!parsed.success) {
        const [issue] = parsed.error.issues;
        context.addIssue({ code: "custom", message: issue?.message ?? "", path: [index, ...(issue?.path ?? [])] });
        return z.NEVER;
      }
      list.push(parsed.data);
    }
    return list;
  });
}
