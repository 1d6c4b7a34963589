/**
 * Plaintext bytes of a chunk, by the kind of path that it is made for. Long lossy paths want large chunks, since a large code block
 * needs less parity for the same loss; a LAN wants them because each one costs the same bookkeeping.
 */
export const profiles = {
  /** 1 MiB. */
  lan: 1_048_576,
  /** 64 KiB; the default. */
  wan: 65_536,
  /** 64 KiB. */
  mobile: 65_536,
  /** 256 KiB. */
  satellite: 262_144,
} as const;

/** Name of a profile. */
export type ProfileName = keyof typeof profiles;

/** The profile that is taken when nothing is said. */
export const DEFAULT_PROFILE: ProfileName = "wan";
