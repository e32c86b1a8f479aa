//! Strings become token ids, exactly as the published tokenizers do it.

use serde::Deserialize;
use serde_json::Value;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{AddedToken, PostProcessor, TruncationParams};

use super::Document;
use crate::error::{Error, Result};
use crate::folder::{Folder, read_file, read_json};

/// The shortest length at which documents may be cut: `[CLS]`, one token, `[SEP]`.
const MIN_LENGTH: usize = 3;

/// A tokenizer with its separator and the length at which documents are cut.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
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
        let (mut inner, file) = match read_file(folder, "tokenizer.json").await? {
            Some(bytes) => {
                let file = format!("{}/tokenizer.json", folder.name());
                check_tokenizer_file(&bytes).map_err(|problem| Error::corrupt(&file, problem))?;
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

        let special = inner.get_post_processor().map_or(0, |template| template.added_tokens(false));
        if special >= max_length {
            let problem = format!("it adds {special} special tokens to a document of at most {max_length}");
            return Err(Error::corrupt(&file, problem));
        }
        // A published tokenizer.json often carries the truncation and padding of its training run.
        let truncation = TruncationParams { max_length, ..TruncationParams::default() };
        inner
            .with_padding(None)
            .with_truncation(Some(truncation))
            .map_err(|error| Error::corrupt(&file, error.to_string()))?;
        let tokenizer = Self { inner, file, separator, max_length, embeddings };
        // A tokenizer that does not work says so now, not at the first paper.
        tokenizer.encode(&Document::Text("a".to_owned()))?;
        Ok(tokenizer)
    }

    /// Token ids of one document with its special tokens, cut at [`Tokenizer::max_length`] as the reference
    /// does it: the first tokens stay and the closing `[SEP]` is kept.
    pub fn encode(&self, document: &Document) -> Result<Vec<u32>> {
        let text = document.text(&self.separator);
        let encoding = self
            .inner
            .encode_fast(text.as_ref(), true)
            .map_err(|error| Error::corrupt(&self.file, format!("it failed on a text: {error}")))?;
        let ids = encoding.get_ids();
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
        Ok(ids.to_vec())
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

/// Refuses what `tokenizers` 0.23 accepts when it reads a file and panics on when it encodes: a template that names a
/// special token it does not define or a second sequence, and a damaged character map of `SentencePiece`.
fn check_tokenizer_file(bytes: &[u8]) -> Result<(), String> {
    let file: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let mut parts: Vec<&Value> =
        ["post_processor", "normalizer"].iter().filter_map(|key| file.get(key)).collect();
    while let Some(part) = parts.pop() {
        parts.extend(
            ["processors", "normalizers"].iter().filter_map(|key| part.get(key)?.as_array()).flatten(),
        );
        match part.get("type").and_then(Value::as_str) {
            Some("TemplateProcessing") => check_template(part)?,
            Some("Precompiled") => {
                return Err("it has a character map of SentencePiece, which no BERT needs".to_owned());
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_template(template: &Value) -> Result<(), String> {
    let pieces =
        template.get("single").and_then(Value::as_array).ok_or("its template has no single sequence")?;
    for piece in pieces {
        if let Some(id) = piece.pointer("/SpecialToken/id").and_then(Value::as_str)
            && template.get("special_tokens").and_then(|tokens| tokens.get(id)).is_none()
        {
            return Err(format!("its template has a special token {id:?} that it does not define"));
        }
        if piece.pointer("/Sequence/id").and_then(Value::as_str).is_some_and(|id| id != "A") {
            return Err("its template for one sequence asks for a second one".to_owned());
        }
    }
    Ok(())
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
