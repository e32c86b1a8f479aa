//! What a convolution over tokens reads.

use super::Rows;
use crate::text::Batch;

/// `input`: `(T, H)`, out: `(T, H · taps)`.
pub(super) fn neighbours(input: &Rows, taps: usize, batch: &Batch) -> Rows {
    let documents = batch.document_of_row();
    input.map(input.width * taps, |token, row| {
        let document = documents.get(token).map_or(0..0, |&document| batch.rows(document as usize));
        let neighbour = |tap: usize| {
            let at = (token + tap).checked_sub(taps / 2).filter(|at| document.contains(at));
            at.map(|at| input.row(at)).unwrap_or_default()
        };
        let value = |column: usize, tap: usize| neighbour(tap).get(column).copied().unwrap_or(0.0);
        (0..row.len())
            .flat_map(|column| (0..taps).map(move |tap| (column, tap)))
            .map(|(column, tap)| value(column, tap))
            .collect()
    })
}
