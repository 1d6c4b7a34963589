/** A class whose instances `instanceof` can tell; `never[]` lets any constructor pass without `any`. */
export type Class<Instance> = abstract new (...args: never[]) => Instance;

/** Fails unless `expression` is truthy. */
export function assert(expression: unknown, message?: string): asserts expression;

/** Fails unless both are deeply equal: arrays, maps, sets and typed arrays by content. */
export function assertEquals<Value>(actual: Value, expected: Value, message?: string): void;

/** Fails when both are deeply equal. */
export function assertNotEquals<Value>(actual: Value, expected: Value, message?: string): void;

/** Fails unless both are the same value (`Object.is`). */
export function assertStrictEquals<Value>(
  actual: unknown,
  expected: Value,
  message?: string,
): asserts actual is Value;

/** Fails unless the two numbers differ by at most `tolerance` (by default a ten-millionth of `expected`). */
export function assertAlmostEquals(
  actual: number,
  expected: number,
  tolerance?: number,
  message?: string,
): void;

/**
 * Fails unless `fn` throws; with a class, unless what it throws is one, and its message holds
 * `messageIncludes`.
 */
export function assertThrows(fn: () => unknown, message?: string): unknown;
export function assertThrows<Failure extends Error>(
  fn: () => unknown,
  ErrorClass: Class<Failure>,
  messageIncludes?: string,
  message?: string,
): Failure;

/** Like {@linkcode assertThrows}, for a function whose promise is rejected. Await it. */
export function assertRejects(fn: () => PromiseLike<unknown>, message?: string): Promise<unknown>;
export function assertRejects<Failure extends Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: Class<Failure>,
  messageIncludes?: string,
  message?: string,
): Promise<Failure>;

/** Fails unless `actual` matches the expression. */
export function assertMatch(actual: string, expected: RegExp, message?: string): void;

/** Fails unless `actual` holds `expected`. */
export function assertStringIncludes(actual: string, expected: string, message?: string): void;

/** Fails unless `actual` is an instance of the class. */
export function assertInstanceOf<Instance>(
  actual: unknown,
  expectedClass: Class<Instance>,
  message?: string,
): asserts actual is Instance;

/** Fails unless `actual > expected`. */
export function assertGreater<Value>(actual: Value, expected: Value, message?: string): void;

/** Fails unless `actual >= expected`. */
export function assertGreaterOrEqual<Value>(actual: Value, expected: Value, message?: string): void;

/** Fails unless `actual < expected`. */
export function assertLess<Value>(actual: Value, expected: Value, message?: string): void;

/** Fails unless `actual <= expected`. */
export function assertLessOrEqual<Value>(actual: Value, expected: Value, message?: string): void;

/** Fails at once. */
export function fail(message?: string): never;
