/** Does something with each of some things, with so many at a time. `work` must not throw. */
export async function inParallel<T>(
  things: readonly T[],
  most: number,
  work: (thing: T) => Promise<void>,
): Promise<void> {
  const rest = things.values();
  const worker = async () => {
    for (const thing of rest) await work(thing);
  };
  await Promise.all(Array.from({ length: Math.min(most, things.length) }, worker));
}
