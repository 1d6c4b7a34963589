/** A clock that is set while a program runs which knows nothing of it: this module is run before the program. */

/** How it is set. */
export interface MovedClock {
  /** So long after the program's start. */
  readonly afterMs: number;
  /** By so much, backward too. */
  readonly byMs: number;
}

/** Puts it in place. What counts milliseconds from the start goes on evenly, as the system's own does. */
export function moveClock({ afterMs, byMs }: MovedClock): void {
  const SystemDate = Date;
  const now = () => SystemDate.now() + (performance.now() < afterMs ? 0 : byMs);
  globalThis.Date = new Proxy(SystemDate, {
    construct: (target, given, made) => Reflect.construct(target, given.length === 0 ? [now()] : given, made),
    get: (target, name, receiver) => name === "now" ? now : Reflect.get(target, name, receiver),
  });
}
