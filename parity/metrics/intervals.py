"""Writes intervals.json, score limits: `python parity/metrics/intervals.py`. Written with numpy 2 and SciPy 1.17.1.

The limits as the header of crates/metrics/src/interval/tilted.rs defines them, by other means: slopes are complex steps of the
metric's definition (Squire and Trapp, SIAM Review 1998), the bias is half the trace of its Hessian times the covariance of the counts, roots are scipy's.
"""

import json
from pathlib import Path

import numpy as np
from scipy import optimize, stats


def accuracy(table):
    return np.trace(table)


def balanced_accuracy(table):
    rows = table.sum(axis=1)
    return sum(table[c, c] / rows[c] for c in range(len(table)) if rows[c] != 0) / np.count_nonzero(rows)


def macro_f1(table):
    both = table.sum(axis=1) + table.sum(axis=0)
    return sum(2 * table[c, c] / both[c] for c in range(len(table)) if both[c] != 0) / len(table)


METRICS = {"accuracy": accuracy, "balanced_accuracy": balanced_accuracy, "macro_f1": macro_f1}


def slopes(metric, table):
    found = np.zeros(table.shape)
    for place in np.ndindex(*table.shape):
        moved = table.astype(complex)
        moved[place] += 1e-30j
        found[place] = metric(moved).imag / 1e-30
    return found


def bias(metric, counts):
    """Of the metric of as many images of each class, drawn with the shares that were seen; the unbiased variance."""
    total, size = counts.sum(), len(counts)
    trace = 0.0
    for row in range(size):
        n = counts[row].sum()
        if n < 2:
            continue
        share = counts[row] / n
        covariance = n / (n - 1) * n * (np.diag(share) - np.outer(share, share)) / total**2
        for a in range(size):
            for b in range(size):
                up, down = counts / total, counts / total
                up[row, a] += 1e-5
                down[row, a] -= 1e-5
                hessian = (slopes(metric, up)[row, b] - slopes(metric, down)[row, b]) / 2e-5
                trace += hessian * covariance[a, b]
    return trace / 2


class Family:
    def __init__(self, name, images, size, paired, groups=None):
        """With groups, what is added for what was not seen counts as many images as say as much as half an independent one."""
        alone = Family(name, images, size, paired) if groups else None
        unseen = 0.5 * (alone.design(groups) if groups else 1.0)
        self.metric, self.images, self.size, self.paired = METRICS[name], images, size, paired
        self.n = len(images)
        seen = {}
        for image in images:
            seen[image] = seen.get(image, 0) + 1
        each = unseen / (max(size, 2) - 1)
        self.rows = []
        for target in range(size):
            of = {cell: n for cell, n in seen.items() if cell[0] == target}
            if not of:
                continue
            cells = {(target, target, target): unseen}
            for other in range(size):
                if other == target:
                    continue
                cells[(target, other, other)] = each
                if paired:
                    cells[(target, target, other)] = cells[(target, other, target)] = each / 2
            for cell, n in of.items():
                cells[cell] = cells.get(cell, 0.0) + n
            shares = np.array(list(cells.values()))
            self.rows.append((sum(of.values()) / self.n, list(cells), shares / shares.sum()))
        first, second = np.zeros((size, size)), np.zeros((size, size))
        for (target, a, b), n in seen.items():
            first[target, a] += n
            second[target, b] += n
        difference = lambda of: of(second) - (of(first) if paired else 0.0)
        self.value = difference(lambda counts: self.metric(counts / self.n))
        self.bias = difference(lambda counts: bias(self.metric, counts)) if name == "macro_f1" else 0.0
        self.scale, self.design_effect = 1.0, 2 * unseen
        self.influence = [np.zeros(len(cells)) for _, cells, _ in self.rows]
        _, variance, self.influence = self.at(0.0)
        self.scale = np.sqrt(variance)
        self.step = max(of.max() - of.min() for of in self.influence) / self.n

    def at(self, tilt):
        first, second = np.zeros((self.size, self.size)), np.zeros((self.size, self.size))
        tilted = []
        for (share, cells, shares), influence in zip(self.rows, self.influence):
            exponents = tilt * influence / self.scale
            shares = shares * np.exp(exponents - exponents.max())
            tilted.append(shares / shares.sum())
            for (target, a, b), of in zip(cells, tilted[-1]):
                first[target, a] += share * of
                second[target, b] += share * of
        value, rises = self.metric(second), slopes(self.metric, second)
        falls = np.zeros(first.shape)
        if self.paired:
            value, falls = value - self.metric(first), slopes(self.metric, first)
        variance, influences = 0.0, []
        for (share, cells, _), shares in zip(self.rows, tilted):
            slope = np.array([rises[t, b] - falls[t, a] for t, a, b in cells])
            influences.append(slope - shares @ slope)
            variance += share * (shares @ influences[-1] ** 2)
        return value, variance, influences

    def design(self, groups):
        """The design effect: that seen, and that of groups whose images are all alike, as if of four of them more."""
        influence = {cell: i for (_, cells, _), of in zip(self.rows, self.influence) for cell, i in zip(cells, of)}
        names = sorted(set(groups))
        sums = {group: 0.0 for group in names}
        sizes = {group: 0 for group in names}
        told = set()
        independent = 0.0
        for image, group in zip(self.images, groups):
            sums[group] += influence[image]
            sizes[group] += 1
            independent += influence[image] ** 2
            target, a, b = image
            if (a == target) != (b == target) if self.paired else a != target:
                told.add(group)
        seen = len(names) * np.var(list(sums.values()), ddof=1) / independent
        sizes = np.array(list(sizes.values()))
        alike = (sizes**2).sum() / sizes.sum()
        return max(1.0, (len(told) * seen + 4 * alike) / (len(told) + 4))

    def error(self, variance):
        return np.sqrt(variance * self.design_effect / self.n)

    def margin(self, sign):
        return self.step * self.design_effect / 2 + max(0.0, -sign * self.bias)

    def limit(self, sign, critical):
        def beyond(tilt):
            value, variance, _ = self.at(sign * tilt)
            return sign * (value - self.value) - critical * self.error(variance) - self.margin(sign)

        tilt = optimize.brentq(beyond, -30, 60, xtol=1e-14, rtol=1e-14) if beyond(60.0) > 0 else 60.0
        limit = self.at(sign * tilt)[0]
        return min(limit, self.value) if sign < 0 else max(limit, self.value)

    def p_of_no_difference(self, df):
        if self.value == 0:
            return 1.0
        sign = -np.sign(self.value)
        tilt = optimize.brentq(lambda tilt: self.at(sign * tilt)[0], -30, 60, xtol=1e-14, rtol=1e-14)
        away = max(0.0, (abs(self.value) - self.margin(sign)) / self.error(self.at(sign * tilt)[1]))
        return 2 * stats.t.sf(away, df)


def drawn(seed, classes, right, images, of_group):
    """Images of groups that are easy or hard together: true class, two answers, group."""
    random = np.random.default_rng(seed)
    drawn, groups = [], []
    for image in range(images):
        target = int(random.choice(len(classes), p=classes))
        if image % of_group == 0:
            shift = random.normal(0, 0.3)
        answers = []
        for one in right:
            correct = random.random() < min(1.0, max(0.0, one + shift))
            others = [other for other in range(len(classes)) if other != target]
            # Most mistakes are for the next class.
            wrong = (target + 1) % len(classes) if random.random() < 0.6 else int(random.choice(others))
            answers.append(target if correct else wrong)
        drawn.append((target, *answers))
        groups.append(image // of_group)
    return drawn, groups


def exact(images):
    """The accuracy of single images: Clopper and Pearson's limits, and McNemar's test turned into limits."""
    n = len(images)
    right = sum(t == a for t, a, _ in images)
    proportion = lambda k, n: stats.binomtest(k, n).proportion_ci(0.95, method="exact")
    only_first = sum(t == a and t != b for t, a, b in images)
    only_second = sum(t != a and t == b for t, a, b in images)
    differ = only_first + only_second
    value = (only_second - only_first) / n
    # The share of those that differ, and how many these are, where the difference is farthest out.
    leans = [2 * share - 1 for share in proportion(only_second, differ)]
    number = proportion(differ, n)
    low = min([value] + [leans[0] * share for share in number])
    high = max([value] + [leans[1] * share for share in number])
    p = stats.binomtest(only_second, differ).pvalue
    return {"single": [right / n, *proportion(right, n)], "paired": [value, low, high], "p": p}


CASES = [
    # Seed, shares of the classes, how often each of two classifiers is right, images, images of a group.
    (1, [0.5, 0.5], (0.8, 0.86), 60, 1),
    (2, [0.6, 0.3, 0.1], (0.7, 0.6), 200, 4),
    (3, [0.25, 0.25, 0.25, 0.25, 0.0], (0.9, 0.93), 120, 3),
    (4, [0.8, 0.2], (0.97, 0.9), 90, 6),
    (5, [0.4, 0.3, 0.3], (0.3, 0.5), 150, 5),
]

cases = []
for seed, classes, right, images, of_group in CASES:
    of, groups = drawn(seed, classes, right, images, of_group)
    limits = []
    for name in METRICS:
        for grouped in [False, True]:
            if grouped and of_group == 1:
                continue
            if name == "accuracy" and not grouped:
                limits.append({"metric": name, "grouped": grouped} | exact(of))
                continue
            df = max(groups) if grouped else float("inf")
            critical = stats.t.ppf(0.975, df)
            alike = groups if grouped else None
            single = Family(name, [(t, a, a) for t, a, _ in of], len(classes), False, alike)
            if name == "accuracy":
                # A share of images: answers to one class, of which the second is the wrong one.
                single = Family(name, [(0, int(t != a), int(t != a)) for t, a, _ in of], 2, False, alike)
            paired = Family(name, of, len(classes), True, alike)
            both = [(family.value, family.limit(-1, critical), family.limit(1, critical)) for family in (single, paired)]
            p = paired.p_of_no_difference(df)
            limits.append({"metric": name, "grouped": grouped, "single": both[0], "paired": both[1], "p": p})
    # Three digits an image: its true class and the answers of the two.
    digits = "".join(f"{a}{b}{c}" for a, b, c in of)
    cases.append({"classes": len(classes), "of_group": of_group, "images": digits, "limits": limits})

(Path(__file__).parent / "intervals.json").write_text(json.dumps(cases, indent=1) + "\n")
