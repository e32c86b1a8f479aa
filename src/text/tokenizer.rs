//! Strings become token ids, exactly as the published tokenizers do it.

use serde::Deserialize;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{AddedToken, TruncationParams};

use super::Document;
use crate::error::{Error, Result};
use crate::folder::{Folder, read_file, read_json};

/// A tokenizer with its separator and the length at which documents are cut.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    separator: String,
    max_length: usize,
}

/// The part of `tokenizer_config.json` that matters here. Upstream: transformers' `BertTokenizer`.
#[derive(Debug, Deserialize)]
#[serde(default)]
struct TokenizerConfig {
    do_lower_case: bool,
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
            do_lower_case: true,
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
    /// Reads `tokenizer.json`, or builds BERT's `WordPiece` tokenizer from `vocab.txt` and
    /// `tokenizer_config.json`.
    ///
    /// Documents are cut at `max_length` tokens or, without it, at what the folder says
    /// (`sentence_bert_config.json`, then `tokenizer_config.json`), and never beyond `positions`, the number
    /// of positions that the network has.
    pub async fn from_folder(
        folder: &impl Folder,
        positions: usize,
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
            && !(3..=positions).contains(&asked)
        {
            return Err(Error::InvalidOption {
                problem: format!("maxLength is {asked}; this model takes 3 to {positions} tokens"),
            });
        }
        let max_length = max_length.or(published).unwrap_or(positions).clamp(3, positions.max(3));

        let separator = match &config.sep_token {
            TokenName::Plain(token) | TokenName::Added { content: token } => token.clone(),
            TokenName::Absent(()) => "[SEP]".to_owned(),
        };
        let (mut inner, file) = match read_file(folder, "tokenizer.json").await? {
            Some(bytes) => {
                let file = format!("{}/tokenizer.json", folder.name());
                let inner = tokenizers::Tokenizer::from_bytes(&bytes)
                    .map_err(|error| Error::corrupt(&file, error.to_string()))?;
                (inner, file)
            }
            None => match read_file(folder, "vocab.txt").await? {
                Some(vocabulary) => {
                    let file = format!("{}/vocab.txt", folder.name());
                    (word_piece(&vocabulary, config, &file)?, file)
                }
                None => {
                    return Err(Error::FileMissing {
                        folder: folder.name().to_owned(),
                        file: "tokenizer.json".to_owned(),
                        hint: "A model folder needs tokenizer.json, or vocab.txt for BERT.".to_owned(),
                    });
                }
            },
        };

        // A published tokenizer.json often carries the truncation and padding of its training run.
        let truncation = TruncationParams { max_length, ..TruncationParams::default() };
        inner
            .with_padding(None)
            .with_truncation(Some(truncation))
            .map_err(|error| Error::corrupt(&file, error.to_string()))?;
        Ok(Self { inner, separator, max_length })
    }

    /// Token ids of one document with its special tokens, cut at [`Tokenizer::max_length`] as the reference
    /// does it: the first tokens stay and the closing `[SEP]` is kept.
    pub fn encode(&self, document: &Document) -> Result<Vec<u32>> {
        let text = document.text(&self.separator);
        let encoding = self
            .inner
            .encode_fast(text.as_ref(), true)
            .map_err(|error| Error::internal(format!("the tokenizer failed on a text: {error}")))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The most tokens that a document has after encoding, special tokens included.
    #[must_use]
    pub fn max_length(&self) -> usize {
        self.max_length
    }

    /// One more than the largest token id that can come out.
    #[must_use]
    pub fn vocabulary_size(&self) -> usize {
        self.inner.get_vocab(true).values().max().map_or(0, |&id| id as usize + 1)
    }
}

/// BERT's tokenizer from its vocabulary file: transformers' `BertTokenizer`.
fn word_piece(vocabulary: &[u8], config: TokenizerConfig, file: &str) -> Result<tokenizers::Tokenizer> {
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
    let template = BertProcessing::new((sep.clone(), id(sep)?), (cls.clone(), id(cls)?));
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
        BertNormalizer::new(true, config.tokenize_chinese_chars, config.strip_accents, config.do_lower_case);
    let mut tokenizer = tokenizers::Tokenizer::new(model);
    let problem = |error: tokenizers::Error| Error::corrupt(file, error.to_string());
    tokenizer.with_normalizer(Some(normalizer)).map_err(problem)?;
    tokenizer.with_pre_tokenizer(Some(BertPreTokenizer)).with_post_processor(Some(template));
    tokenizer.add_special_tokens(special).map_err(problem)?;
    Ok(tokenizer)
}
