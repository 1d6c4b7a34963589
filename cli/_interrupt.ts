/** Exit statuses of a process that was told to stop, as shells write them: 128 and the number of the signal. */
const INTERRUPTED = 130;
const TERMINATED = 143;

/**
 * Listens for Ctrl-C and SIGTERM for as long as a command runs. The first asks it to stop, the second ends the process at once.
 */
export class Interrupt implements Disposable {
  readonly #abort = new AbortController();
  readonly #listeners = new Map<Deno.Signal, () => void>();
  #status: number | undefined;

  /** Starts to listen. */
  constructor() {
    this.#listen("SIGINT", INTERRUPTED);
    // Windows knows no SIGTERM.
    if (Deno.build.os !== "windows") this.#listen("SIGTERM", TERMINATED);
  }

  /** Aborted by the first of them. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** The exit status that the signal asks for; `undefined` when there was none. */
  get status(): number | undefined {
    return this.#status;
  }

  /** Stops listening. */
  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners) Deno.removeSignalListener(signal, listener);
    this.#listeners.clear();
  }

  #listen(signal: Deno.Signal, status: number): void {
    const listener = () => {
      if (this.#status !== undefined) Deno.exit(this.#status);
      this.#status = status;
      this.#abort.abort();
    };
    Deno.addSignalListener(signal, listener);
    this.#listeners.set(signal, listener);
  }
}

/** Waits, for any time (a timer alone ends at once after 24.8 days), or until the signal. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  const end = performance.now() + ms;
  for (let left = ms; left > 0 && !signal.aborted; left = end - performance.now()) {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, Math.min(left, 2 ** 30));
    const stop = () => resolve();
    signal.addEventListener("abort", stop);
    await promise;
    signal.removeEventListener("abort", stop);
    clearTimeout(timer);
  }
}
