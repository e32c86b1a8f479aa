//! The largest values of each row.

use super::Rows;

/// `(D, N)` → `(D, 2 count)`: the largest of the first `columns` values, then their columns.
pub(super) fn top_k(input: &Rows, columns: usize, count: usize) -> Rows {
    input.map(2 * count, |_, row| {
        let mut ranked: Vec<(usize, f32)> = row.iter().copied().take(columns).enumerate().collect();
        // Of equal values the first stays first.
        ranked.sort_by(|(_, x), (_, y)| y.total_cmp(x));
        ranked.truncate(count);
        let values = ranked.iter().map(|&(_, value)| value);
        values.chain(ranked.iter().map(|&(column, _)| column as f32)).collect()
    })
}
