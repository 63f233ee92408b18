/** The name of a task's only container, by which a schedule's overrides find it. */
export const CONTAINER_NAME = "runner";
