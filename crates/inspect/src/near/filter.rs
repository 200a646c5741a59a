//! All pairs by their signs, and those that are left by their values.

use rayon::prelude::*;

use super::Turn;
use super::hash::{LOW, Table, Values, bits, turned};

/// Rows that are gone through together, so that the bits of a block of columns are read from the nearest cache.
const ROWS: usize = 32;

/// Columns of which it is first asked whether there is any near one.
const COLUMNS: usize = 32;

/// A pair that may be near.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub b: u32,
    pub turn: Turn,
    /// The correlation of the values.
    pub like: f32,
}

/// What lets a pair through.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// The largest number of differing signs, of 63.
    pub differ: u32,
    /// The smallest correlation of the values.
    pub like: f32,
    /// The most candidates of a picture: the best of them.
    pub most: usize,
}

/// What `judge(a, candidates)` says of each picture and the later ones that are perhaps the same when it is turned, the best first. `skip` says which
/// are left out, `apart(a, b, turn)` which pairs. `None` where `interrupted`, which is asked before every [`ROWS`] pictures, says so.
pub(super) fn each<T: Send>(
    values: &Table,
    skip: &[bool],
    limits: Limits,
    apart: impl Fn(usize, usize, Turn) -> bool + Sync,
    interrupted: &(dyn Fn() -> bool + Sync),
    judge: impl Fn(usize, &[Candidate]) -> T + Sync,
) -> Option<Vec<T>> {
    let columns: Vec<u64> = (0..values.len()).into_par_iter().map(|at| bits(&values.get(at))).collect();
    let blocks: Option<Vec<Vec<T>>> = (0..values.len().div_ceil(ROWS))
        .into_par_iter()
        .map(|block| {
            if interrupted() {
                return None;
            }
            let rows = block * ROWS..((block + 1) * ROWS).min(values.len());
            let turns: Vec<[Values; 8]> =
                rows.clone().map(|a| Turn::ALL.map(|turn| turned(&values.get(a), turn))).collect();
            let signs: Vec<[u64; 8]> =
                turns.iter().map(|turns| std::array::from_fn(|t| bits(&turns[t]))).collect();
            let mut found: Vec<Vec<Candidate>> = vec![Vec::new(); rows.len()];
            let mut near = Vec::new();
            for start in (rows.start..values.len()).step_by(COLUMNS) {
                let columns = &columns[start..(start + COLUMNS).min(values.len())];
                for (i, a) in rows.clone().enumerate() {
                    if skip[a] || start + columns.len() <= a + 1 {
                        continue;
                    }
                    near.clear();
                    near_ones(&signs[i], columns, limits.differ, &mut near);
                    for &(t, j) in &near {
                        let (b, turn) = (start + j, Turn::ALL[t]);
                        if b <= a || skip[b] {
                            continue;
                        }
                        let like = dot(&turns[i][t], &values.get(b));
                        if like < limits.like || apart(a, b, turn) {
                            continue;
                        }
                        let found = &mut found[i];
                        found.push(Candidate { b: b as u32, turn, like });
                        if found.len() >= 4 * limits.most {
                            keep_best(found, limits.most);
                        }
                    }
                }
            }
            let judged = rows.zip(&mut found).map(|(a, found)| {
                keep_best(found, limits.most);
                judge(a, found)
            });
            Some(judged.collect())
        })
        .collect();
    Some(blocks?.into_iter().flatten().collect())
}

fn keep_best(found: &mut Vec<Candidate>, most: usize) {
    found.sort_by(|x, y| y.like.total_cmp(&x.like).then((x.b, x.turn).cmp(&(y.b, y.turn))));
    found.truncate(most);
}

/// Of which turns and columns at most `differ` signs differ.
fn near_ones(signs: &[u64; 8], columns: &[u64], differ: u32, near: &mut Vec<(usize, usize)>) {
    pupila_isa::dispatch(
        #[inline(always)]
        || {
            for (t, &row) in signs.iter().enumerate() {
                let least = columns.iter().map(|column| (column ^ row).count_ones() as u64).min();
                if least.is_some_and(|least| least <= u64::from(differ)) {
                    for (j, column) in columns.iter().enumerate() {
                        if (column ^ row).count_ones() <= differ {
                            near.push((t, j));
                        }
                    }
                }
            }
        },
    );
}

/// Sixteen sums side by side, in a fixed order.
fn dot(a: &Values, b: &Values) -> f32 {
    let mut sums = [0.0f32; 16];
    for i in (0..LOW * LOW).step_by(16) {
        for j in 0..16 {
            sums[j] += a[i + j] * b[i + j];
        }
    }
    sums.iter().sum()
}
