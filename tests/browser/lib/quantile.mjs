/** The quantile of a part between 0 and 1 (0.5: the median, of an even number the larger of the two), 0 of no values. */
export function quantile(values, part) {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0;
}
