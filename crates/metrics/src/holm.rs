//! Holm's adjustment of several p-values, which keeps the chance of any false alarm among them below the level.
//!
//! Reference: Holm, "A simple sequentially rejective multiple test procedure" (Scandinavian Journal of Statistics 1979);
//! `statsmodels.stats.multitest.multipletests(method="holm")`.

/// The adjusted p-values, in the order given.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut least: f64 = 0.0;
    for (rank, &place) in order.iter().enumerate() {
        let factor = (p_values.len() - rank) as f64;
        least = least.max((factor * p_values[place]).min(1.0));
        adjusted[place] = least;
    }
    adjusted
}
