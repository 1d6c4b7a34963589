/**
 * How numbers and foreign names are written for people. Bytes count in powers of 1000, as disks and networks do.
 *
 * @module
 */

const byteUnits = ["B", "kB", "MB", "GB", "TB", "PB"];

/** `999 B`, `1.00 kB`, `12.3 MB`: three digits that matter. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 999.5 would be written as 1000.
  while (value >= (unit === 0 ? 1000 : 999.5) && unit < byteUnits.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${byteUnits[unit]}`;
}

/** `12.3 MB/s`. */
export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(Math.max(0, Math.round(bytesPerSecond)))}/s`;
}

/** `0.42 s`, `17 s`, `2:05 min`, `1:02 h`, `2 d 3 h`. */
export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return "?";
  if (seconds < 9.995) return `${seconds.toFixed(2)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}:${two(whole % 60)} min`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)}:${two(minutes % 60)} h`;
  const hours = Math.floor(minutes / 60);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** `2024-05-17 09:30 UTC`: ms since 1970, to the minute. */
export function formatTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

/** `42.0 %`; never 100 before the end. */
export function formatPercent(part: number, whole: number): string {
  if (whole <= 0 || part >= whole) return "100 %";
  return `${(Math.floor((part / whole) * 1000) / 10).toFixed(1)} %`;
}

/** `1 puller`, `2 pullers`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/**
 * A text from outside, for a terminal: what would act on it, or reorder or hide what stands beside it, is written as an escape.
 * Cc controls, Cf format characters (among them the bidirectional ones of CVE-2021-42574), Cs lone surrogates, Zl and Zp line breaks.
 */
export function visible(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`,
  );
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
