// Two models on the same questions. Verdict strings: one character per document (repeats one after the other),
// 0x40 plus bits; a blank means that the model was not asked. The formulas are those of finbench/stats.py.
const CORRECT = 1, LENIENT = 2, TRUNCATED = 4, FAILED = 8, UNREADABLE = 16, JUDGE = 32;
const bits = (text, at) => text.charCodeAt(at) & 0x3f;
const asked = (text, at) => at < text.length && text.charCodeAt(at) !== 32;
const verdictsOf = (verdicts, row, task) => verdicts.cells[row + ":" + task];

// The mean over the repeats of one document, null when it was not asked; partial credit where a task gives it.
function mean(text, credits, document, size) {
  let sum = 0, repeats = 0;
  for (let at = document; at < text.length; at += size) {
    if (asked(text, at)) { sum += credits ? credits[at] : bits(text, at) & CORRECT; repeats += 1; }
  }
  return repeats ? sum / repeats : null;
}

// Difference A - B in points with its clustered 95 % interval, and the four counts of McNemar's table.
function compare(verdicts, rowA, rowB, task) {
  const a = verdictsOf(verdicts, rowA, task), b = verdictsOf(verdicts, rowB, task);
  if (!a || !b) return null;
  const creditA = verdicts.credits[rowA + ":" + task], creditB = verdicts.credits[rowB + ":" + task];
  const clusters = verdicts.clusters[task], size = clusters.length;
  const differences = [], groups = new Map();
  let both = 0, onlyA = 0, onlyB = 0, neither = 0, meanA = 0, meanB = 0;
  for (let document = 0; document < size; document++) {
    const x = mean(a, creditA, document, size), y = mean(b, creditB, document, size);
    if (x === null || y === null) continue;
    differences.push([x - y, clusters[document]]);
    meanA += x; meanB += y;
    if (x >= 0.5 && y >= 0.5) both++; else if (x >= 0.5) onlyA++; else if (y >= 0.5) onlyB++; else neither++;
  }
  const n = differences.length;
  if (!n) return null;
  const delta = (meanA - meanB) / n;
  for (const [d, cluster] of differences) groups.set(cluster, (groups.get(cluster) ?? 0) + d - delta);
  let squares = 0;
  for (const sum of groups.values()) squares += sum * sum;
  const g = groups.size;
  const se = g > 1 ? Math.sqrt(squares * g / (g - 1)) / n : NaN;
  return {
    n, both, onlyA, onlyB, neither, scoreA: 100 * meanA / n, scoreB: 100 * meanB / n,
    delta: 100 * delta, se: 100 * se, half: 100 * se * studentT(g - 1), p: mcnemar(onlyA, onlyB),
  };
}

// Exact McNemar test: 2 P(Bin(b + c, 1/2) <= min(b, c)), at most 1.
function mcnemar(b, c) {
  const n = b + c;
  let term = -n * Math.LN2, sum = 0;
  for (let k = 0; k <= Math.min(b, c); k++) {
    sum += Math.exp(term);
    term += Math.log((n - k) / (k + 1));
  }
  return Math.min(1, 2 * sum);
}

// The 97.5 % quantile of Student's t: a table up to 30 degrees of freedom, Cornish and Fisher's expansion above.
function studentT(df) {
  if (df < 1) return NaN;
  if (df <= data.t.length) return data.t[df - 1];
  const z = 1.959963984540054;
  return z + (z ** 3 + z) / (4 * df) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * df ** 2);
}

// The unweighted average over tasks: different questions, so the variances add.
function averageOf(results) {
  const t = results.length;
  return {
    delta: results.reduce((sum, one) => sum + one.delta, 0) / t,
    half: 1.959963984540054 * Math.sqrt(results.reduce((sum, one) => sum + one.se ** 2, 0)) / t,
  };
}

function verdict(delta, half) {
  if (!(half >= 0)) return ["", "no interval"];
  if (Math.abs(delta) <= half) return ["", "no clear difference"];
  return delta > 0 ? ["better", "better"] : ["worse", "worse"];
}
