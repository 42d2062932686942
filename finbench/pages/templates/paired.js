// Two models on the same questions. Verdict strings: one character per document (repeats one after the other),
// 0x40 plus bits; a blank means that the model was not asked. The formulas are those of finbench/significance.py.
const CORRECT = 1, LENIENT = 2, TRUNCATED = 4, FAILED = 8, UNREADABLE = 16, JUDGE = 32, UNSURE = 128;
const bits = (text, at) => text.charCodeAt(at) & 0xbf;
const asked = (text, at) => at < text.length && text.charCodeAt(at) !== 32;
// Rows and tasks keep in the packed data the numbers that they were packed under.
const place = (row, task) => data.rows[row].number + ":" + data.tasks[task].number;
const verdictsOf = (verdicts, row, task) => verdicts.cells[place(row, task)];
const clustersOf = (verdicts, task) => verdicts.clusters[data.tasks[task].number];

// The mean over the repeats of one document, null when it was not asked; partial credit where a task gives it.
function mean(text, credits, document, size) {
  let sum = 0, repeats = 0;
  for (let at = document; at < text.length; at += size) {
    if (asked(text, at)) { sum += credits ? credits[at] : bits(text, at) & CORRECT; repeats += 1; }
  }
  return repeats ? sum / repeats : null;
}

// Difference A - B in points with its 95 % interval and p-value, and the four counts of McNemar's table. The interval
// adds one question won and one lost (Bonett and Price 2012); clusters shrink its n by their design effect.
function compare(verdicts, rowA, rowB, task) {
  const a = verdictsOf(verdicts, rowA, task), b = verdictsOf(verdicts, rowB, task);
  if (!a || !b) return null;
  const creditA = verdicts.credits[place(rowA, task)], creditB = verdicts.credits[place(rowB, task)];
  const clusters = clustersOf(verdicts, task), size = clusters.length;
  const groups = new Map();
  let n = 0, both = 0, onlyA = 0, onlyB = 0, neither = 0, wins = 0, losses = 0, sumA = 0, sumB = 0, squares = 0, fourths = 0, binary = true;
  for (let document = 0; document < size; document++) {
    const x = mean(a, creditA, document, size), y = mean(b, creditB, document, size);
    if (x === null || y === null) continue;
    n += 1; sumA += x; sumB += y;
    squares += (x - y) ** 2; fourths += (x - y) ** 4;
    wins += x > y; losses += x < y;
    if (x >= 0.5 && y >= 0.5) both++; else if (x >= 0.5) onlyA++; else if (y >= 0.5) onlyB++; else neither++;
    if ((x !== 0 && x !== 1) || (y !== 0 && y !== 1)) binary = false;
    const group = groups.get(clusters[document]) ?? [0, 0];
    group[0] += x - y; group[1] += 1;
    groups.set(clusters[document], group);
  }
  if (!n) return null;
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const all = [...groups.values()], df = all.length - 1;
  const delta = (sumA - sumB) / n, centre = (sumA - sumB) / (n + 2);
  const unit = squares ? fourths / squares : 1; // the square of a typical gain: 1 for 0/1 scores
  let effect = 1;
  if (all.length < n && df > 0) {
    const between = sum(all.map(([gain, count]) => (gain - delta * count) ** 2)) * all.length / df;
    const shared = unit * sum(all.map(([, count]) => count * count)) / n;
    effect = (between + shared) / (squares - n * delta ** 2 + unit);
  }
  const variance = Math.max((squares + 2 * unit) / (n + 2) - centre ** 2, unit / (n + 2));
  const se = Math.sqrt(variance / (n + 2) * effect);
  const alone = all.length === n && binary;
  const half = (alone ? Z : studentT(df)) * se;
  return {
    n, both, onlyA, onlyB, neither, wins, losses, scoreA: 100 * sumA / n, scoreB: 100 * sumB / n, delta: 100 * delta,
    low: 100 * Math.max(-1, Math.min(delta, centre - half)), high: 100 * Math.min(1, Math.max(delta, centre + half)),
    p: alone ? mcnemar(wins, losses) : df < 1 ? 1 : studentP(Math.abs(centre) / se, df), test: alone ? "McNemar" : "t",
  };
}

const Z = 1.959963984540054;

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
  if (df < 1) return Infinity;
  if (df <= data.t.length) return data.t[df - 1];
  return Z + (Z ** 3 + Z) / (4 * df) + (5 * Z ** 5 + 16 * Z ** 3 + 3 * Z) / (96 * df ** 2);
}

// The two-sided p-value of Student's t: the regularised incomplete beta function I_x(df/2, 1/2) at df / (df + t^2).
function studentP(t, df) {
  const x = df / (df + t * t), a = df / 2, b = 0.5;
  if (x >= 1) return 1;
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x));
  return x < (a + 1) / (a + b + 2) ? front * betaFraction(x, a, b) / a : 1 - front * betaFraction(1 - x, b, a) / b;
}

// Lentz's evaluation of the continued fraction of the incomplete beta function.
function betaFraction(x, a, b) {
  const safe = (value) => Math.abs(value) < 1e-300 ? 1e-300 : value;
  let c = 1, d = 1 / safe(1 - (a + b) * x / (a + 1)), result = d;
  for (let m = 1; m < 1000; m++) {
    for (const factor of [m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)), -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))]) {
      d = 1 / safe(1 + factor * d);
      c = safe(1 + factor / c);
      result *= c * d;
    }
    if (Math.abs(c * d - 1) < 1e-12) break;
  }
  return result;
}

// Lanczos' approximation, good to about 1e-13 for positive arguments.
function logGamma(x) {
  const weights = [676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7];
  const y = x - 1, t = y + 7.5;
  const series = weights.reduce((sum, weight, at) => sum + weight / (y + at + 1), 0.99999999999980993);
  return 0.5 * Math.log(2 * Math.PI) + (y + 0.5) * Math.log(t) - t + Math.log(series);
}

// Holm's adjusted p-values, in the order given.
function holm(values) {
  const order = values.map((p, at) => [p, at]).sort((one, two) => one[0] - two[0]);
  const adjusted = [];
  let highest = 0;
  order.forEach(([p, at], rank) => { highest = Math.max(highest, Math.min(1, (order.length - rank) * p)); adjusted[at] = highest; });
  return adjusted;
}

// The unweighted average over tasks; its interval is put together from theirs (MOVER).
function averageOf(results) {
  const root = (pick) => Math.sqrt(results.reduce((sum, one) => sum + pick(one) ** 2, 0)) / results.length;
  const delta = results.reduce((sum, one) => sum + one.delta, 0) / results.length;
  return { delta, low: delta - root((one) => one.delta - one.low), high: delta + root((one) => one.high - one.delta) };
}

// Rows without common samples: the difference of their scores [score, low, high, n], an interval where both have one.
function apart(x, y) {
  const delta = x[0] - y[0];
  if (x[1] === null || y[1] === null) return { delta, low: NaN, high: NaN };
  return { delta, low: delta - Math.hypot(x[0] - x[1], y[2] - y[0]), high: delta + Math.hypot(x[2] - x[0], y[0] - y[1]) };
}

// Better or worse only where the interval leaves zero out and the test agrees.
function verdict({ delta, low, high, p = 0 }) {
  if (Number.isNaN(low)) return ["", "no interval"];
  if ((low <= 0 && high >= 0) || p >= 0.05) return ["", "no clear difference"];
  return delta > 0 ? ["better", "better"] : ["worse", "worse"];
}
