//! Strings become token ids, exactly as the published tokenizers do it.
//!
//! [`super::parts`] has the parts that a `tokenizer.json` can be made of, and `super::sentencepiece` DeBERTa's own file.

use serde::Deserialize;
use tokenizers::AddedToken;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;

use super::parts::{Assembly, Normalization, SpecialTokens, Splitting, Vocabulary};
use super::sentencepiece::{self, Beside};
use super::tokenization::Tokenization;
use crate::error::{Error, Result};
use crate::folder::{Folder, read_file, read_json};

/// The shortest length at which documents may be cut: `[CLS]`, one token, `[SEP]`.
const MIN_LENGTH: usize = 3;

/// A tokenizer with its separator and the length at which documents are cut.
pub struct Tokenizer {
    inner: Tokenization,
    /// Where it was read from, for messages.
    file: String,
    separator: String,
    max_length: usize,
    embeddings: usize,
}

/// The part of `tokenizer_config.json` that matters here. Upstream: transformers' `BertTokenizer`.
#[derive(Debug, Deserialize)]
#[serde(default)]
struct TokenizerConfig {
    do_lower_case: Option<bool>,
    strip_accents: Option<bool>,
    tokenize_chinese_chars: bool,
    model_max_length: Option<serde_json::Number>,
    unk_token: TokenName,
    cls_token: TokenName,
    sep_token: TokenName,
    pad_token: TokenName,
    mask_token: TokenName,
}

/// A special token, written as a string or as an object with a `content`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum TokenName {
    Plain(String),
    Added { content: String },
    Absent(()),
}

impl TokenName {
    fn or(self, default: &str) -> String {
        match self {
            Self::Plain(content) | Self::Added { content } => content,
            Self::Absent(()) => default.to_owned(),
        }
    }
}

impl Default for TokenizerConfig {
    /// What `BertTokenizer` assumes where a repository has no `tokenizer_config.json`.
    fn default() -> Self {
        Self {
            do_lower_case: None,
            strip_accents: None,
            tokenize_chinese_chars: true,
            model_max_length: None,
            unk_token: TokenName::Absent(()),
            cls_token: TokenName::Absent(()),
            sep_token: TokenName::Absent(()),
            pad_token: TokenName::Absent(()),
            mask_token: TokenName::Absent(()),
        }
    }
}

/// `sentence_bert_config.json` of sentence-transformers.
#[derive(Debug, Default, Deserialize)]
struct SentenceBertConfig {
    max_seq_length: Option<usize>,
}

impl Tokenizer {
    /// Reads `tokenizer.json`, or builds BERT's `WordPiece` tokenizer from `vocab.txt` or DeBERTa's Unigram tokenizer
    /// from `spm.model`, either with `tokenizer_config.json`.
    ///
    /// Documents are cut at `max_length` tokens or, without it, at what the folder says
    /// (`sentence_bert_config.json`, then `tokenizer_config.json`), and never beyond `positions`, the number
    /// of positions that the network has. `embeddings` is the number of its word embeddings.
    pub async fn from_folder(
        folder: &impl Folder,
        positions: usize,
        embeddings: usize,
        max_length: Option<usize>,
    ) -> Result<Self> {
        let config: TokenizerConfig = read_json(folder, "tokenizer_config.json").await?.unwrap_or_default();
        let sentence: SentenceBertConfig =
            read_json(folder, "sentence_bert_config.json").await?.unwrap_or_default();

        // Some tokenizers say 1e30 for "no limit".
        let own_limit = config.model_max_length.as_ref().and_then(serde_json::Number::as_u64);
        let own_limit = own_limit.and_then(|limit| usize::try_from(limit).ok());
        let published = sentence.max_seq_length.or(own_limit);
        if let Some(asked) = max_length
            && !(MIN_LENGTH..=positions).contains(&asked)
        {
            return Err(Error::InvalidOption {
                problem: format!("maxLength is {asked}; this model takes {MIN_LENGTH} to {positions} tokens"),
            });
        }
        let max_length = max_length.or(published).unwrap_or(positions).max(MIN_LENGTH).min(positions);

        let separator = match &config.sep_token {
            TokenName::Plain(token) | TokenName::Added { content: token } => token.clone(),
            TokenName::Absent(()) => "[SEP]".to_owned(),
        };
        let file = |name: &str| format!("{}/{name}", folder.name());
        let (inner, file) = if let Some(bytes) = read_file(folder, "tokenizer.json").await? {
            let file = file("tokenizer.json");
            (Tokenization::new(Assembly::read(&bytes, &file)?, &file)?, file)
        } else if let Some(vocabulary) = read_file(folder, "vocab.txt").await? {
            let file = file("vocab.txt");
            (word_piece(&vocabulary, config, &file)?, file)
        } else if let Some(model) = read_file(folder, "spm.model").await? {
            let file = file("spm.model");
            (sentencepiece::read(&model, Beside::read(folder).await?, &file)?, file)
        } else {
            return Err(Error::FileMissing {
                folder: folder.name().to_owned(),
                file: "tokenizer.json".to_owned(),
                hint: "A model folder needs tokenizer.json, or vocab.txt for BERT, or spm.model for DeBERTa."
                    .to_owned(),
            });
        };

        let special = inner.special_tokens();
        if special >= max_length {
            let problem = format!("it adds {special} special tokens to a document of at most {max_length}");
            return Err(Error::corrupt(&file, problem));
        }
        let largest = inner.largest_id();
        if largest as usize >= embeddings {
            let problem =
                format!("it has tokens up to id {largest}, but the model has {embeddings} word embeddings");
            return Err(Error::corrupt(&file, problem));
        }
        let tokenizer = Self { inner, file, separator, max_length, embeddings };
        // A tokenizer that does not work says so now, not at the first paper.
        tokenizer.encode("a")?;
        Ok(tokenizer)
    }

    /// Token ids of a document's text with its special tokens, cut at [`Tokenizer::max_length`] as the reference
    /// does it: the first tokens stay and the closing `[SEP]` is kept.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let ids = self
            .inner
            .encode(text, self.max_length)
            .map_err(|error| Error::corrupt(&self.file, format!("it failed on a text: {error}")))?;
        // The kernels look up whatever they are told to.
        if ids.is_empty() || ids.len() > self.max_length {
            let problem = format!("it made {} tokens of a text, not 1 to {}", ids.len(), self.max_length);
            return Err(Error::corrupt(&self.file, problem));
        }
        if let Some(id) = ids.iter().find(|&&id| id as usize >= self.embeddings) {
            let problem =
                format!("it made a token {id}, but the model has {} word embeddings", self.embeddings);
            return Err(Error::corrupt(&self.file, problem));
        }
        Ok(ids)
    }

    /// What stands between the parts of a paper.
    #[must_use]
    pub fn separator(&self) -> &str {
        &self.separator
    }

    /// The most tokens that a document has after encoding, special tokens included.
    #[must_use]
    pub fn max_length(&self) -> usize {
        self.max_length
    }
}

/// BERT's tokenizer from its vocabulary file: transformers' `BertTokenizer`.
fn word_piece(vocabulary: &[u8], config: TokenizerConfig, file: &str) -> Result<Tokenization> {
    let names = [
        config.pad_token.or("[PAD]"),
        config.unk_token.or("[UNK]"),
        config.cls_token.or("[CLS]"),
        config.sep_token.or("[SEP]"),
        config.mask_token.or("[MASK]"),
    ];
    let [_, unknown, cls, sep, _] = &names;
    let vocabulary =
        WordPiece::read_bytes(vocabulary).map_err(|error| Error::corrupt(file, error.to_string()))?;
    let id = |token: &str| {
        let missing = || Error::corrupt(file, format!("the vocabulary has no {token}"));
        vocabulary.get(token).copied().ok_or_else(missing)
    };
    // SciBERT's cased repository says nothing; its vocabulary does.
    let lower_case = config.do_lower_case.unwrap_or_else(|| !has_capitals(vocabulary.keys()));
    let special_tokens = SpecialTokens::between(id(cls)?, id(sep)?);
    id(unknown)?;
    let special: Vec<AddedToken> = names
        .iter()
        .filter(|name| vocabulary.contains_key(name.as_str()))
        .map(|name| AddedToken::from(name.clone(), true))
        .collect();
    let model = WordPiece::builder()
        .vocab(vocabulary)
        .unk_token(unknown.clone())
        .continuing_subword_prefix("##".to_owned())
        .max_input_chars_per_word(100)
        .build()
        .map_err(|error| Error::corrupt(file, error.to_string()))?;

    let normalizer =
        BertNormalizer::new(true, config.tokenize_chinese_chars, config.strip_accents, lower_case);
    let parts = Assembly {
        vocabulary: Vocabulary::WordPiece(model),
        normalization: Some(Normalization::Bert(normalizer)),
        splitting: Some(Splitting::Bert),
        special_tokens,
        added_tokens: special,
    };
    Tokenization::new(parts, file)
}

/// Whether more than a hundredth of the words of a vocabulary have letters that lower-casing changes, which no text has
/// that was lower-cased. Special tokens and the unused ones in brackets do not count.
fn has_capitals<'a>(words: impl Iterator<Item = &'a String>) -> bool {
    let (mut all, mut capitals) = (0, 0);
    for word in words.filter(|word| !word.starts_with('[')) {
        all += 1;
        capitals += usize::from(word.chars().any(|letter| letter.to_lowercase().ne([letter])));
    }
    capitals * 100 > all
}

#[cfg(test)]
mod tests {
    use super::has_capitals;

    #[test]
    fn a_vocabulary_shows_whether_it_is_cased() {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        assert!(has_capitals(words(&["[PAD]", "the", "The", "##ing"]).iter()));
        // A capital of mathematics has no small form.
        assert!(!has_capitals(words(&["[PAD]", "[CLS]", "the", "##ing", "\u{1d4a2}"]).iter()));
    }
}
