//! A text becomes token ids: tokens that were added to the vocabulary are found in it, what lies between them is changed
//! and cut into words, and the words into pieces.
//!
//! It gives the ids of `tokenizers::TokenizerImpl`, whose parts it calls. That finds spaces and letters around added
//! tokens by regular expressions, which would be 120 KB gzipped of the module.

use std::collections::HashMap;

use daachorse::{DoubleArrayAhoCorasick, DoubleArrayAhoCorasickBuilder, MatchKind};
use tokenizers::tokenizer::normalizer::Range;
use tokenizers::{
    AddedToken, NormalizedString, Normalizer as _, OffsetReferential, OffsetType, PreTokenizedString,
    PreTokenizer as _, Token,
};

use unicode_categories::UnicodeCategories as _;

use super::parts::{Assembly, Normalization, SpecialTokens, Splitting, Vocabulary};
use crate::error::{Error, Result};

/// All that makes ids of a text.
pub(super) struct Tokenization {
    vocabulary: Vocabulary,
    normalization: Option<Normalization>,
    splitting: Option<Splitting>,
    special_tokens: SpecialTokens,
    /// Added tokens that are looked for in the text as it is.
    as_written: AddedTokens,
    /// Those that are looked for in what the normalization makes of it.
    normalized: AddedTokens,
    largest_id: u32,
}

impl Tokenization {
    /// Puts the parts of a file together.
    pub(super) fn new(parts: Assembly, file: &str) -> Result<Self> {
        let Assembly { vocabulary, normalization, splitting, special_tokens, added_tokens } = parts;
        let numbered = numbered(added_tokens, &vocabulary);
        let largest_id = numbered.iter().map(|&(_, id)| id).chain([vocabulary.largest_id()]).max();
        let (mut as_written, mut normalized) = (Vec::new(), Vec::new());
        for (token, id) in numbered {
            let sought = Sought {
                id,
                is_word: token.single_word,
                takes_spaces_before: token.lstrip,
                takes_spaces_behind: token.rstrip,
            };
            if token.normalized {
                let mut content = NormalizedString::from(token.content);
                if let Some(normalization) = &normalization {
                    let changed = normalization.normalize(&mut content);
                    changed.map_err(|error| Error::corrupt(file, error.to_string()))?;
                }
                normalized.push((content.get().to_owned(), sought));
            } else {
                as_written.push((token.content, sought));
            }
        }
        let find = |tokens| AddedTokens::new(tokens).map_err(|problem| Error::corrupt(file, problem));
        Ok(Self {
            as_written: find(as_written)?,
            normalized: find(normalized)?,
            largest_id: largest_id.unwrap_or(0),
            vocabulary,
            normalization,
            splitting,
            special_tokens,
        })
    }

    /// The largest id of a token.
    pub(super) fn largest_id(&self) -> u32 {
        self.largest_id
    }

    /// How many tokens are put around a text.
    pub(super) fn special_tokens(&self) -> usize {
        self.special_tokens.count()
    }

    /// The ids of a text, cut so that with the special tokens there are at most so many.
    pub(super) fn encode(&self, text: &str, most: usize) -> tokenizers::Result<Vec<u32>> {
        let mut pieces = PreTokenizedString::from(text);
        pieces.split(|_, piece| self.as_written.split(&piece))?;
        pieces.split(|_, mut piece| {
            if let Some(normalization) = &self.normalization {
                normalization.normalize(&mut piece)?;
            }
            self.normalized.split(&piece)
        })?;
        if let Some(splitting) = &self.splitting {
            splitting.pre_tokenize(&mut pieces)?;
        }
        pieces.tokenize(|word| self.vocabulary.tokenize(word.get()))?;
        let splits = pieces.get_splits(OffsetReferential::Normalized, OffsetType::Byte);
        let ids = splits.iter().filter_map(|(_, _, tokens)| tokens.as_ref()).flatten().map(|token| token.id);
        Ok(self.special_tokens.around(&ids.take(most.saturating_sub(self.special_tokens.count()))))
    }
}

/// Added tokens with their ids: those of the vocabulary, and the next free ones. Of equal ones the last counts.
fn numbered(tokens: Vec<AddedToken>, vocabulary: &Vocabulary) -> Vec<(AddedToken, u32)> {
    let mut numbered: Vec<(AddedToken, u32)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut next = vocabulary.size() as u32;
    for token in tokens.into_iter().filter(|token| !token.content.is_empty()) {
        if let Some((known, _)) = places.get(&token.content).and_then(|&at| numbered.get_mut(at)) {
            *known = token;
            continue;
        }
        let id = vocabulary.id(&token.content).unwrap_or_else(|| {
            next += 1;
            next - 1
        });
        places.insert(token.content.clone(), numbered.len());
        numbered.push((token, id));
    }
    numbered
}

/// A token that is looked for in texts.
struct Sought {
    id: u32,
    /// Whether it is only found where no letter of another word is next to it.
    is_word: bool,
    takes_spaces_before: bool,
    takes_spaces_behind: bool,
}

/// Tokens that are looked for in texts, of several at a place the longest.
struct AddedTokens {
    automaton: Option<DoubleArrayAhoCorasick<u32>>,
    sought: Vec<Sought>,
}

impl AddedTokens {
    fn new(tokens: Vec<(String, Sought)>) -> Result<Self, String> {
        let (contents, sought): (Vec<String>, Vec<Sought>) = tokens.into_iter().unzip();
        let automaton = if contents.is_empty() {
            None
        } else {
            let numbered = contents.iter().zip(0_u32..);
            let builder = DoubleArrayAhoCorasickBuilder::new().match_kind(MatchKind::LeftmostLongest);
            let built = builder.build_with_values(numbered);
            Some(built.map_err(|error| format!("its added tokens cannot be looked for: {error}"))?)
        };
        Ok(Self { automaton, sought })
    }

    /// The tokens in a text, and what lies between them.
    fn split(
        &self,
        text: &NormalizedString,
    ) -> tokenizers::Result<Vec<(NormalizedString, Option<Vec<Token>>)>> {
        let whole = text.get();
        let mut pieces = Vec::new();
        let mut piece = |range: std::ops::Range<usize>, id: Option<u32>| -> tokenizers::Result<()> {
            let slice = text.slice(Range::Normalized(range)).ok_or("an added token is cut in two")?;
            let token = id.map(|id| vec![Token::new(id, String::new(), (0, 0))]);
            pieces.push((slice, token));
            Ok(())
        };
        let mut done = 0;
        for found in self.automaton.iter().flat_map(|automaton| automaton.leftmost_find_iter(whole)) {
            let Some(token) = self.sought.get(found.value() as usize) else { continue };
            let (mut start, mut end) = (found.start(), found.end());
            let (before, behind) = (whole.get(..start), whole.get(end..));
            let letters = [
                before.and_then(|text| text.chars().next_back()),
                behind.and_then(|text| text.chars().next()),
            ];
            if token.is_word && letters.into_iter().flatten().any(is_of_a_word) {
                continue;
            }
            if token.takes_spaces_before {
                start = before.map_or(start, |before| before.trim_end().len()).max(done);
            }
            if token.takes_spaces_behind {
                end += behind.map_or(0, |behind| behind.len() - behind.trim_start().len());
            }
            if done < start {
                piece(done..start, None)?;
            }
            piece(start..end, Some(token.id))?;
            done = end;
        }
        if done < whole.len() || whole.is_empty() {
            piece(done..whole.len(), None)?;
        }
        Ok(pieces)
    }
}

/// Whether a character is one of `\w`.
fn is_of_a_word(letter: char) -> bool {
    letter.is_alphabetic()
        || letter.is_mark_nonspacing()
        || letter.is_mark_spacing_combining()
        || letter.is_mark_enclosing()
        || letter.is_number_decimal_digit()
        || letter.is_punctuation_connector()
        || matches!(letter, '\u{200c}' | '\u{200d}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const WORDS: [&str; 12] =
        ["[UNK]", "[CLS]", "[SEP]", "a", "b", "ab", "##a", "##b", "##ab", "é", "##e", "[MASK]"];

    fn file(added: &[(&str, [bool; 5])]) -> Value {
        let vocabulary: serde_json::Map<String, Value> =
            WORDS.iter().enumerate().map(|(id, word)| ((*word).to_owned(), id.into())).collect();
        let added: Vec<Value> = added
            .iter()
            .enumerate()
            .map(|(at, &(content, [word, lstrip, rstrip, normalized, special]))| {
                let id = WORDS.iter().position(|word| *word == content).unwrap_or(WORDS.len() + at);
                json!({
                    "id": id, "content": content, "single_word": word, "lstrip": lstrip, "rstrip": rstrip,
                    "normalized": normalized, "special": special,
                })
            })
            .collect();
        json!({
            "version": "1.0", "added_tokens": added,
            "normalizer": {
                "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null,
                "lowercase": true,
            },
            "pre_tokenizer": { "type": "BertPreTokenizer" },
            "post_processor": { "type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1] },
            "model": {
                "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 6, "vocab": vocabulary,
            },
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn the_ids_are_those_of_tokenizers(
            // Of tokens that the normalization makes equal, theirs takes any.
            added in prop::collection::btree_map(
                prop::sample::select(vec!["[SEP]", "[MASK]", "[MASK] a", "B", "ba", " a", "É", "NEW"]),
                any::<[bool; 5]>(),
                0..5,
            ),
            texts in prop::collection::vec("([abABéÉ \\t\u{a0}]|\\[SEP\\]|\\[MASK\\]| +|new|New|_|1|\\u{301}|\\u{200d}|-){0,12}", 1..6),
        ) {
            let added: Vec<(&str, [bool; 5])> = added.into_iter().collect();
            let bytes = file(&added).to_string().into_bytes();
            let theirs = tokenizers::Tokenizer::from_bytes(&bytes);
            let ours = Assembly::read(&bytes, "tokenizer.json")
                .and_then(|parts| Tokenization::new(parts, "tokenizer.json"));
            let (Ok(theirs), Ok(ours)) = (&theirs, &ours) else {
                prop_assert_eq!(theirs.is_ok(), ours.is_ok());
                return Ok(());
            };
            for text in texts {
                let expected = theirs.encode(text.as_str(), true).expect("it encodes");
                prop_assert_eq!(ours.encode(&text, usize::MAX).ok(), Some(expected.get_ids().to_vec()), "{:?}", text);
            }
        }
    }
}
