//! Packing: the token rows of many documents lie end to end, with a table of starts and no padding.

/// Token ids of several documents, end to end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Token ids of all documents, `(T,)`.
    pub ids: Vec<u32>,
    /// Where each document starts, and where the last one ends: `(documents + 1,)`.
    pub starts: Vec<u32>,
}

impl Batch {
    /// An empty batch to push documents into.
    #[must_use]
    pub fn new() -> Self {
        Self { ids: Vec::new(), starts: vec![0] }
    }

    /// Appends the tokens of one document.
    pub fn push(&mut self, ids: &[u32]) {
        self.ids.extend_from_slice(ids);
        self.starts.push(self.ids.len() as u32);
    }

    /// How many token rows there are, `T`.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.ids.len()
    }

    /// How many documents there are.
    #[must_use]
    pub fn documents(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// The token rows of one document.
    #[must_use]
    pub fn rows(&self, document: usize) -> std::ops::Range<usize> {
        let at = |index: usize| self.starts.get(index).map_or(self.ids.len(), |&start| start as usize);
        at(document)..at(document + 1)
    }

    /// The document that each token row belongs to, `(T,)`.
    #[must_use]
    pub fn document_of_row(&self) -> Vec<u32> {
        (0..self.documents())
            .flat_map(|document| std::iter::repeat_n(document as u32, self.rows(document).len()))
            .collect()
    }

    /// The position of each token row within its document, `(T,)`.
    #[must_use]
    pub fn positions(&self) -> Vec<u32> {
        (0..self.documents()).flat_map(|document| 0..self.rows(document).len() as u32).collect()
    }
}

/// Splits documents into batches of at most `token_budget` tokens and `most` documents, in order. Nothing is padded, so
/// documents need not be sorted by length; one that is longer than the budget gets a batch of its own.
pub fn pack<E>(
    documents: impl IntoIterator<Item = Result<Vec<u32>, E>>,
    token_budget: usize,
    most: usize,
) -> impl Iterator<Item = Result<Batch, E>> {
    let mut documents = documents.into_iter().peekable();
    std::iter::from_fn(move || {
        let mut batch = Batch::new();
        loop {
            let is_full =
                |ids: &Vec<u32>| batch.tokens() + ids.len() > token_budget || batch.documents() >= most;
            match documents.peek() {
                Some(Ok(ids)) if batch.documents() > 0 && is_full(ids) => break,
                None => break,
                Some(_) => {}
            }
            match documents.next() {
                Some(Ok(ids)) => batch.push(&ids),
                Some(Err(error)) => return Some(Err(error)),
                None => break,
            }
        }
        (batch.documents() > 0).then_some(Ok(batch))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::convert::Infallible;

    fn packed(lengths: &[usize], budget: usize, most: usize) -> Vec<Batch> {
        let documents = lengths.iter().enumerate().map(|(d, &n)| Ok::<_, Infallible>(vec![d as u32; n]));
        pack(documents, budget, most).map(|batch| batch.unwrap_or_else(|error| match error {})).collect()
    }

    proptest! {
        #[test]
        fn a_long_list_is_split_and_stays_in_order(
            lengths in prop::collection::vec(2_usize..40, 0..60), budget in 1_usize..100, most in 1_usize..9,
        ) {
            let batches = packed(&lengths, budget, most);
            let mut next = 0;
            for batch in &batches {
                prop_assert!(batch.documents() == 1 || batch.tokens() <= budget);
                prop_assert!(batch.documents() <= most);
                for document in 0..batch.documents() {
                    let rows = batch.rows(document);
                    prop_assert_eq!(rows.len(), lengths[next]);
                    prop_assert!(batch.ids[rows].iter().all(|&id| id as usize == next));
                    next += 1;
                }
            }
            prop_assert_eq!(next, lengths.len());
        }
    }

    #[test]
    fn positions_start_again_with_each_document() {
        let batch = &packed(&[3, 2], 10, 10)[0];
        assert_eq!(batch.positions(), [0, 1, 2, 0, 1]);
        assert_eq!(batch.document_of_row(), [0, 0, 0, 1, 1]);
        assert_eq!(batch.starts, [0, 3, 5]);
    }
}
