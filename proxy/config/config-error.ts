/** Everything that is wrong with a config, each as "path: expected …, got …". */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[], options: { cause?: unknown } = {}) {
    super(problems.join("\n"), options);
    this.name = "ConfigError";
    this.problems = problems;
  }
}
