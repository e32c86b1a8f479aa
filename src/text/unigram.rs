//! The model of SentencePiece that cuts a word into the pieces whose scores have the largest sum.
//!
//! It gives the tokens of `tokenizers::models::unigram`, whose trie of hash maps takes 110 MB for the 128,000 pieces of
//! a DeBERTa and is as deep as its longest piece when it is dropped; the automaton here takes 6 MB and finds all pieces
//! in a word in one pass.

use std::ops::Range;

use daachorse::{DoubleArrayAhoCorasick, DoubleArrayAhoCorasickBuilder};
use tokenizers::Token;

use super::MAX_SOUGHT;

/// The most pieces of a vocabulary; the largest published ones have 900,000.
pub(super) const MAX_PIECES: usize = 1 << 20;

/// What is wrong with a model of more.
pub(super) fn too_many(pieces: usize) -> String {
    format!("it has {pieces} pieces; up to {MAX_PIECES} are read")
}

/// How much less likely than the least likely piece a character is that no piece begins with.
const UNKNOWN_PENALTY: f64 = 10.0;

/// Pieces with their scores.
pub(super) struct Unigram {
    /// By their ids.
    pieces: Vec<(String, f64)>,
    /// The ids in the order of their pieces; of equal pieces the last one.
    sorted: Vec<u32>,
    automaton: DoubleArrayAhoCorasick<u32>,
    unknown: Option<u32>,
    unknown_score: f64,
    byte_fallback: bool,
}

/// The last piece of the best way to cut a text up to some place.
#[derive(Clone, Copy)]
struct Step {
    score: f64,
    start: usize,
    id: u32,
}

/// What the best pieces of a text are: where each is and its id, the last piece first.
type Path = Vec<(Range<usize>, u32)>;

impl Unigram {
    /// A model of pieces by their ids, with the id of what no piece covers.
    pub(super) fn new(
        pieces: Vec<(String, f64)>,
        unknown: Option<usize>,
        byte_fallback: bool,
    ) -> Result<Self, String> {
        if let Some(unknown) = unknown.filter(|&id| id >= pieces.len()) {
            return Err(format!("the unknown token is {unknown}, but there are {} pieces", pieces.len()));
        }
        if pieces.iter().all(|(piece, _)| piece.is_empty()) {
            return Err("it has no pieces".to_owned());
        }
        if let Some((piece, score)) = pieces.iter().find(|(_, score)| !score.is_finite()) {
            return Err(format!("the score of {piece:?} is {score}"));
        }
        if pieces.len() > MAX_PIECES {
            return Err(too_many(pieces.len()));
        }
        let bytes: usize = pieces.iter().map(|(piece, _)| piece.len()).sum();
        if bytes > MAX_SOUGHT {
            return Err(format!("its pieces have {bytes} bytes together; up to {MAX_SOUGHT} are read"));
        }
        let text = |id: u32| pieces.get(id as usize).map_or("", |(piece, _)| piece.as_str());
        let mut sorted: Vec<u32> = (0..pieces.len() as u32).collect();
        sorted.sort_unstable_by_key(|&id| (text(id), std::cmp::Reverse(id)));
        sorted.dedup_by_key(|id| text(*id));
        // Of the type that `tokenizers` makes its own automatons of.
        let found: Vec<(&str, u32)> =
            sorted.iter().map(|&id| (text(id), id)).filter(|(piece, _)| !piece.is_empty()).collect();
        let automaton = DoubleArrayAhoCorasickBuilder::new()
            .build_with_values(found)
            .map_err(|error| error.to_string())?;
        let least = pieces.iter().map(|&(_, score)| score).fold(f64::INFINITY, f64::min);
        Ok(Self {
            sorted,
            automaton,
            unknown: unknown.map(|id| id as u32),
            unknown_score: least - UNKNOWN_PENALTY,
            byte_fallback,
            pieces,
        })
    }

    pub(super) fn size(&self) -> usize {
        self.pieces.len()
    }

    pub(super) fn piece(&self, id: u32) -> Option<&str> {
        self.pieces.get(id as usize).map(|(piece, _)| piece.as_str())
    }

    pub(super) fn id(&self, piece: &str) -> Option<u32> {
        let at = self.sorted.binary_search_by(|&id| self.piece(id).unwrap_or_default().cmp(piece)).ok()?;
        self.sorted.get(at).copied()
    }

    /// The tokens of a word.
    pub(super) fn tokenize(&self, text: &str) -> Result<Vec<Token>, String> {
        let mut path = self.best_path(text).ok_or("it has no token for what it does not know")?;
        let mut tokens = Vec::with_capacity(path.len());
        while let Some((mut range, mut id)) = path.pop() {
            // All that is unknown in a row is one token.
            if Some(id) == self.unknown {
                while let Some((more, _)) = path.pop_if(|(_, next)| *next == id) {
                    range.end = more.end;
                }
                let piece = text.get(range.clone()).unwrap_or_default();
                if let Some(known) = self.id(piece) {
                    id = known;
                } else if let Some(bytes) = self.bytes(piece) {
                    let offsets = (range.start, range.end);
                    tokens.extend(bytes.into_iter().map(|(id, byte)| Token::new(id, byte, offsets)));
                    continue;
                }
            }
            let piece = text.get(range.clone()).unwrap_or_default();
            tokens.push(Token::new(id, piece.to_owned(), (range.start, range.end)));
        }
        Ok(tokens)
    }

    /// Where a text is cut so that the scores have the largest sum; of equal sums, the one with the longest last piece.
    fn best_path(&self, text: &str) -> Option<Path> {
        let mut best: Vec<Option<Step>> = vec![None; text.len() + 1];
        let mut found = self.automaton.find_overlapping_iter(text).peekable();
        for (at, letter) in text.char_indices() {
            let end = at + letter.len_utf8();
            let score_at = |start: usize| best.get(start).copied().flatten().map_or(0.0, |step| step.score);
            let mut step: Option<Step> = None;
            let mut take = |start: usize, score: f64, id: u32| {
                let score = score_at(start) + score;
                if step.is_none_or(|step| score > step.score) {
                    step = Some(Step { score, start, id });
                }
            };
            let mut is_known = false;
            // Pieces that end here, the longest first.
            while let Some(piece) = found.next_if(|piece| piece.end() <= end) {
                is_known |= piece.start() == at;
                let (_, score) = self.pieces.get(piece.value() as usize)?;
                take(piece.start(), *score, piece.value());
            }
            if !is_known {
                take(at, self.unknown_score, self.unknown.unwrap_or(u32::MAX));
            }
            *best.get_mut(end)? = step;
        }
        let mut path = Path::new();
        let mut end = text.len();
        while end > 0 {
            let step = best.get(end).copied().flatten().filter(|step| step.id != u32::MAX)?;
            path.push((step.start..end, step.id));
            end = step.start;
        }
        Some(path)
    }

    /// A token for each byte, where the model has tokens for bytes.
    fn bytes(&self, piece: &str) -> Option<Vec<(u32, String)>> {
        let token = |byte: u8| {
            let name = format!("<0x{byte:02X}>");
            Some((self.id(&name)?, name))
        };
        self.byte_fallback.then(|| piece.bytes().map(token).collect()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokenizers::Model as _;
    use tokenizers::models::unigram::Unigram as Theirs;

    proptest! {
        #[test]
        fn the_tokens_are_those_of_tokenizers(
            pieces in prop::collection::vec(("[abé▁]{0,4}", -6_i32..3), 1..30)
                .prop_filter("pieces", |pieces| pieces.iter().any(|(piece, _)| !piece.is_empty())),
            bytes in prop::collection::vec(prop::sample::select(vec!["<0x63>", "<0xC3>", "<0xA9>"]), 0..4),
            unknown in 0_usize..30,
            byte_fallback: bool,
            texts in prop::collection::vec("[abcé▁]{0,12}", 1..8),
        ) {
            // Quarters, so that sums are equal now and then.
            let mut pieces: Vec<(String, f64)> =
                pieces.into_iter().map(|(piece, score)| (piece, f64::from(score) / 4.0)).collect();
            pieces.extend(bytes.into_iter().map(|byte| (byte.to_owned(), -1.0)));
            let unknown = Some(unknown).filter(|&id| id < pieces.len());
            let ours = Unigram::new(pieces.clone(), unknown, byte_fallback).expect("the pieces are sound");
            let theirs = Theirs::from(pieces, unknown, byte_fallback).expect("the pieces are sound");
            for text in texts {
                match theirs.tokenize(&text) {
                    Ok(tokens) => prop_assert_eq!(ours.tokenize(&text), Ok(tokens), "{}", text),
                    // Without an unknown token theirs refuses some texts of which every character is in some piece.
                    Err(_) => prop_assert!(unknown.is_none()),
                }
                prop_assert_eq!(ours.id(&text), theirs.token_to_id(&text));
            }
        }
    }

    #[test]
    fn what_cannot_be_a_model_is_refused() {
        let piece = |score: f64| vec![("a".to_owned(), score)];
        assert!(Unigram::new(piece(0.0), Some(1), false).is_err());
        assert!(Unigram::new(piece(f64::NAN), Some(0), false).is_err());
        assert!(Unigram::new(piece(f64::INFINITY), Some(0), false).is_err());
        assert!(Unigram::new(Vec::new(), None, false).is_err());
        let sound = Unigram::new(piece(0.0), None, false).expect("it is sound");
        assert!(sound.tokenize("aa").is_ok_and(|tokens| tokens.len() == 2));
        assert!(sound.tokenize("b").is_err());
    }
}
