/**
 * Exit codes of the runner that are no failure: done, and another run of the job at work. EventBridge Scheduler may start a
 * task twice, and the second one then ends with 6.
 */
export const GOOD_EXIT_CODES = [0, 6];
