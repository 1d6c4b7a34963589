/** The one of `names` that someone who typed `word` probably meant, if any is near enough. */
export function nearest(word: string, names: readonly string[]): string | undefined {
  if (word === "") return undefined;
  const lower = word.toLowerCase();
  const ranked = names.map((name) => ({ name, steps: distance(lower, name.toLowerCase()) }))
    .sort((a, b) => a.steps - b.steps);
  const best = ranked.at(0);
  if (best && best.steps <= Math.max(1, Math.floor(best.name.length / 3))) return best.name;
  const longer = names.filter((name) => name.startsWith(lower));
  return lower.length >= 2 && longer.length === 1 ? longer[0] : undefined;
}

/** Letters to add, drop, change or swap with their neighbour (optimal string alignment). */
export function distance(a: string, b: string): number {
  let older: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = last[j - 1] + Number(a[i - 1] !== b[j - 1]);
      row[j] = Math.min(changed, last[j] + 1, row[j - 1] + 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) row[j] = Math.min(row[j], older[j - 2] + 1);
    }
    older = last;
    last = row;
  }
  return last[b.length];
}
