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

use super::MAX_SOUGHT;
use super::parts::{Assembly, Normalization, SpecialTokens, Splitting, Vocabulary};
use crate::error::{Error, Result};

/// The most bytes of a token that is added to a vocabulary. A normalization could make megabytes of them.
const MAX_TOKEN: usize = 1024;

/// How many bytes of a text are tokenized for each token that is asked for, before there is a second try with more. Hardly
/// a word is longer.
const BYTES_A_TOKEN: usize = 32;

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
    /// Whether the ids of the [`beginning`] of a text are the first of the whole text: nothing that is looked for, changed
    /// or made a word of goes beyond the space where it ends.
    is_local: bool,
}

impl Tokenization {
    /// Puts the parts of a file together.
    pub(super) fn new(parts: Assembly, file: &str) -> Result<Self> {
        let Assembly { vocabulary, normalization, splitting, special_tokens, added_tokens } = parts;
        let numbered = numbered(added_tokens, &vocabulary);
        let largest_id = numbered.iter().map(|&(_, id)| id).chain([vocabulary.largest_id()]).max();
        let (mut as_written, mut normalized) = (Vec::new(), Vec::new());
        let corrupt = |problem: String| Error::corrupt(file, problem);
        let mut bytes = 0;
        for (token, id) in numbered {
            let sought = Sought {
                id,
                is_word: token.single_word,
                takes_spaces_before: token.lstrip,
                takes_spaces_behind: token.rstrip,
            };
            let mut content = token.content;
            if content.len() > MAX_TOKEN {
                let problem =
                    format!("an added token has {} bytes; up to {MAX_TOKEN} are read", content.len());
                return Err(corrupt(problem));
            }
            if token.normalized
                && let Some(normalization) = &normalization
            {
                let mut changed = NormalizedString::from(content.as_str());
                normalization.normalize(&mut changed).map_err(|error| corrupt(error.to_string()))?;
                changed.get().clone_into(&mut content);
            }
            bytes += content.len();
            if bytes > MAX_SOUGHT {
                return Err(corrupt(format!("its added tokens have more than {MAX_SOUGHT} bytes together")));
            }
            let tokens = if token.normalized { &mut normalized } else { &mut as_written };
            tokens.push((content, sought));
        }
        let is_local = normalization.as_ref().is_none_or(Normalization::is_local)
            && splitting.as_ref().and_then(Splitting::splits_at_spaces) == Some(true)
            && as_written.iter().chain(&normalized).all(|(content, _)| !content.contains(' '));
        let find = |tokens| AddedTokens::new(tokens).map_err(corrupt);
        Ok(Self {
            as_written: find(as_written)?,
            normalized: find(normalized)?,
            largest_id: largest_id.unwrap_or(0),
            vocabulary,
            normalization,
            splitting,
            special_tokens,
            is_local,
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
        let most = most.saturating_sub(self.special_tokens.count());
        let mut enough = most.saturating_mul(BYTES_A_TOKEN);
        loop {
            let part = if self.is_local { beginning(text, enough) } else { text };
            let ids = self.ids(part)?;
            if ids.len() >= most || part.len() == text.len() {
                return Ok(self.special_tokens.around(&ids.into_iter().take(most)));
            }
            enough = part.len().saturating_mul(2);
        }
    }

    /// The ids of a text alone.
    fn ids(&self, text: &str) -> tokenizers::Result<Vec<u32>> {
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
        Ok(splits
            .iter()
            .filter_map(|(_, _, tokens)| tokens.as_ref())
            .flatten()
            .map(|token| token.id)
            .collect())
    }
}

/// The beginning of a text of at least so many bytes, up to a space between two plain letters on each side, or all of it.
/// Plain letters are ASCII's: no mark of Unicode joins them with what is beside them.
fn beginning(text: &str, enough: usize) -> &str {
    let is_end = |around: &[u8]| match around {
        [a, b, b' ', c, d] => [a, b, c, d].into_iter().all(u8::is_ascii_alphanumeric),
        _ => false,
    };
    let end = text.as_bytes().windows(5).skip(enough).position(is_end);
    end.and_then(|end| text.get(..enough + end + 2)).unwrap_or(text)
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
    use std::time::{Duration, Instant};

    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
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

    /// DeBERTa's tokenizer with a small vocabulary.
    fn deberta() -> Value {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/unigram/tokenizer.json");
        let bytes = std::fs::read(path).expect("the fixture is there");
        serde_json::from_slice(&bytes).expect("it parses")
    }

    fn normalizers() -> Vec<Value> {
        let replace = |pattern: Value, content: &str| json!({ "type": "Replace", "pattern": pattern, "content": content });
        vec![
            json!({ "type": "Strip", "strip_left": true, "strip_right": true }),
            json!({ "type": "Lowercase" }),
            json!({ "type": "NFD" }),
            json!({ "type": "NFKD" }),
            json!({ "type": "NFC" }),
            json!({ "type": "Prepend", "prepend": "a" }),
            json!({ "type": "NFKC" }),
            deberta()["normalizer"]["normalizers"][1].clone(),
            replace(json!({ "Regex": " {2,}" }), " "),
            replace(json!({ "Regex": "\\s{2,}|[\n\r\t]" }), "  "),
            replace(json!({ "String": "b a" }), "ab"),
            file(&[])["normalizer"].clone(),
        ]
    }

    fn pre_tokenizers() -> Vec<Value> {
        let metaspace = |scheme: &str, split: bool| {
            json!({
                "type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": scheme, "split": split,
            })
        };
        vec![
            metaspace("always", true),
            metaspace("first", true),
            metaspace("never", true),
            metaspace("always", false),
            json!({ "type": "Punctuation", "behavior": "Contiguous" }),
            json!({ "type": "Punctuation", "behavior": "MergedWithNext" }),
            json!({ "type": "WhitespaceSplit" }),
            json!({ "type": "BertPreTokenizer" }),
        ]
    }

    /// A tokenizer of a few pieces.
    fn unigram(added: &[(&str, [bool; 5])], normalizers: &[Value], pre_tokenizer: &Value) -> Value {
        let pieces = [
            "[UNK]",
            "[CLS]",
            "[SEP]",
            "\u{2581}",
            "a",
            "b",
            "ab",
            "\u{2581}a",
            "\u{2581}ab",
            "ba\u{2581}",
            ".",
        ];
        let mut file = file(added);
        file["normalizer"] = json!({ "type": "Sequence", "normalizers": normalizers });
        file["pre_tokenizer"] = pre_tokenizer.clone();
        file["model"] = json!({
            "type": "Unigram", "unk_id": 0,
            "vocab": pieces.iter().zip(1..).map(|(piece, rank)| json!([piece, -rank])).collect::<Vec<_>>(),
        });
        file
    }

    fn read(file: &Value) -> Tokenization {
        let parts = Assembly::read(file.to_string().as_bytes(), "tokenizer.json").expect("it is sound");
        Tokenization::new(parts, "tokenizer.json").expect("it is sound")
    }

    #[test]
    fn a_text_is_cut_only_where_nothing_reaches_over_the_cut() {
        assert_eq!(beginning("ab ab", 0), "ab");
        assert_eq!(beginning("ab ab ab", 1), "ab ab");
        assert_eq!(beginning("ab ab", usize::MAX), "ab ab");
        for whole in
            ["", "ab", "a ab", "ab a", "ab  ab", "ab\tab", "ab \u{301}ab", "\u{600}a ab", "ab.ab", "éb ab"]
        {
            assert_eq!(beginning(whole, 0), whole);
        }
    }

    /// Checks that the ids of all beginnings of a text are the first of its own.
    fn check_beginnings(tokenization: &Tokenization, text: &str) {
        let all = tokenization.ids(text).expect("it encodes");
        let mut enough = 0;
        while tokenization.is_local && enough < text.len() {
            let part = beginning(text, enough);
            let ids = tokenization.ids(part).expect("it encodes");
            assert_eq!(all.get(..ids.len()), Some(&ids[..]), "{part:?} of {text:?}");
            enough = part.len();
        }
    }

    /// A table of characters: a trie of 256 units a node, each the exclusive or of its place and that of its child.
    fn table(entry: (&str, &str)) -> Value {
        let mut units = vec![0_u32; 256 * (entry.0.len() + 1)];
        for (depth, (byte, node)) in entry.0.bytes().zip((0..).step_by(256)).enumerate() {
            let at = node + usize::from(byte);
            let is_last = depth + 1 == entry.0.len();
            units[at] = u32::from(byte) | u32::from(is_last) << 8 | ((at ^ (node + 256)) as u32) << 10;
        }
        // The value of the only entry is where it begins among all of them.
        let last = units.len() - 256;
        units[last] = 1 << 31;
        let units: Vec<u8> = units.into_iter().flat_map(u32::to_le_bytes).collect();
        let bytes = [&(units.len() as u32).to_le_bytes()[..], &units, entry.1.as_bytes(), b"\0"].concat();
        json!({ "type": "Precompiled", "precompiled_charsmap": BASE64_STANDARD.encode(bytes) })
    }

    #[test]
    fn a_table_of_characters_made_to_reach_over_the_cut_does_not() {
        let spaces = json!({ "type": "Replace", "pattern": { "Regex": " {2,}" }, "content": " " });
        let prepend = json!({ "type": "Prepend", "prepend": "\u{600}" });
        // Number signs of Arabic are of one grapheme with what stands behind them.
        for (normalizers, text) in [
            (vec![table((" ", "a"))], "ab ab"),
            (vec![table(("b", " ")), spaces.clone()], "ab ab"),
            (vec![table(("\u{600}a", " ")), spaces.clone()], "\u{600}a ab"),
            (vec![table(("\u{600}a", "\u{601}")), table(("\u{601}b", " ")), spaces.clone()], "\u{600}ab ab"),
            (vec![prepend, table(("\u{600}b", " ")), spaces], "[MASK]ab ab"),
        ] {
            let added = [("[MASK]a", [false; 5])];
            let split = &pre_tokenizers()[0];
            let tokenization = read(&unigram(&added, &normalizers, split));
            let changed = read(&unigram(&added, &[], split)).ids(text).expect("it encodes");
            assert_ne!(tokenization.ids(text).expect("it encodes"), changed, "{text:?} stays as it is");
            check_beginnings(&tokenization, text);
        }
    }

    #[test]
    fn the_first_tokens_of_an_endless_text_come_soon() {
        let text = "ab ".repeat(10 << 20);
        for file in [file(&[]), deberta()] {
            let tokenization = read(&file);
            let start = Instant::now();
            assert_eq!(tokenization.encode(&text, 512).map_or(0, |ids| ids.len()), 512);
            // Milliseconds, in truth; the bound is for a busy machine.
            assert!(start.elapsed() < Duration::from_secs(2), "took {:?}", start.elapsed());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_first_tokens_of_a_text_are_those_of_its_beginning(
            added in prop::collection::btree_map(
                prop::sample::select(vec!["[SEP]", "[MASK]", "ab", "[MASK] a", "É", "b b", "b\u{301}"]),
                any::<[bool; 5]>(),
                0..4,
            ),
            normalizers in prop::collection::vec(prop::sample::select(normalizers()), 0..5),
            pre_tokenizers in prop::collection::vec(prop::sample::select(pre_tokenizers()), 1..3),
            text in "(ab|ba|[abABé]|\\[MASK\\]|\\[SEP\\]|( |  |\t|\u{2581}|\u{a0}|ab ab)|( |ab ab)|\\.|\u{301}|\u{600}|\u{1d41a}|中|\u{1}){0,80}",
            most in 3_usize..8,
        ) {
            let added: Vec<(&str, [bool; 5])> = added.into_iter().collect();
            let pre_tokenizer = json!({ "type": "Sequence", "pretokenizers": pre_tokenizers });
            for file in [file(&added), unigram(&added, &normalizers, &pre_tokenizer)] {
                let parts = Assembly::read(file.to_string().as_bytes(), "tokenizer.json");
                let Ok(tokenization) = parts.and_then(|parts| Tokenization::new(parts, "tokenizer.json")) else {
                    continue;
                };
                check_beginnings(&tokenization, &text);
                let all = tokenization.ids(&text).expect("it encodes");
                let few: Vec<u32> = tokenization.encode(&text, most).expect("it encodes");
                prop_assert_eq!(few, tokenization.special_tokens.around(&all.into_iter().take(most - 2)));
            }
        }
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
