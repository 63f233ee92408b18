import * as pulumi from "@pulumi/pulumi";
import { reasonOf } from "../answer.ts";

/**
 * Questions to AWS about what a stack takes over, and what is said of the answers. None of them can fail a deployment: a role that
 * previews need not be allowed to ask, and what is missing now may be there when it is used.
 */
export class Questions {
  /** The region of the stack. */
  readonly region: string;
  /** Options of every call, which bring the provider. */
  readonly opts: pulumi.InvokeOptions;
  readonly #parent: pulumi.Resource;
  readonly #unanswered: { readonly what: string; readonly reason: string }[] = [];

  constructor(region: string, parent: pulumi.Resource) {
    this.region = region;
    this.opts = { parent };
    this.#parent = parent;
  }

  /** Says what was found. */
  warn(message: string): void {
    void pulumi.log.warn(message, this.#parent);
  }

  /**
   * What a question is answered with; undefined where AWS does not answer, which {@link conclude} says.
   *
   * @param what what is asked about, for instance `the VPC vpc-1`
   */
  async ask<T>(what: string, question: () => Promise<T>): Promise<T | undefined> {
    try {
      return await question();
    } catch (error) {
      this.unknown(what, reasonOf(error));
      return undefined;
    }
  }

  /** Notes that nothing can be known of something. */
  unknown(what: string, reason: string): void {
    this.#unanswered.push({ what, reason });
  }

  /** Names in one warning all that AWS did not answer. */
  conclude(): void {
    // In an order that the answers' times do not decide.
    const unanswered = this.#unanswered.toSorted((one, other) => (one.what < other.what ? -1 : 1));
    const [first] = unanswered;
    if (first === undefined) return;
    this.warn(
      `AWS says nothing of ${unanswered.map(({ what }) => what).join(", ")}. Each is missing, or belongs to another account ` +
        `or region, or these credentials may not read it. About ${first.what}: ${first.reason}`,
    );
  }
}
