import type { Explanations } from "./_judge.ts";
import type { Scene } from "./_scene.ts";

/** What goes wrong in a run, and how far that explains that it does not end well. */
export interface Fault {
  /** For people. */
  readonly name: string;
  /** What this machine must allow. */
  readonly needs?: "mounts" | "namespaces" | "prlimit";
  /** Before anything is started: where things are, and how both sides run. */
  readonly prepare?: (scene: Scene) => void | Promise<void>;
  /** While the exposer starts. */
  readonly early?: (scene: Scene) => Promise<void>;
  /** When the exposer serves, before there is a puller. */
  readonly served?: (scene: Scene) => void;
  /** At the run's moment, in the middle of the pull. */
  readonly strike?: (scene: Scene) => void | Promise<void>;
  /** Before all is started again: takes away what would stay. */
  readonly heal?: (scene: Scene) => void | Promise<void>;
  /** Errors that it explains; absent: none, the transfer is to end well. */
  readonly puller?: Explanations;
  readonly exposer?: Explanations;
}
