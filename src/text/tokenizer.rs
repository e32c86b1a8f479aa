//! Strings become token ids, exactly as the published tokenizers do it.
//!
//! Of the many parts that a `tokenizer.json` can be made of, those of BERT are linked; any other is refused by name.

use serde::Deserialize;
use serde_json::Value;
use tokenizers::decoders::wordpiece::WordPiece as WordPieceDecoder;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, Encoding, PostProcessor, TokenizerImpl, TruncationParams};

use crate::error::{Error, Result};
use crate::folder::{Folder, read_file, read_json};

/// The shortest length at which documents may be cut: `[CLS]`, one token, `[SEP]`.
const MIN_LENGTH: usize = 3;

/// A tokenizer with its separator and the length at which documents are cut.
pub struct Tokenizer {
    inner: BertTokenizer,
    /// Where it was read from, for messages.
    file: String,
    separator: String,
    max_length: usize,
    embeddings: usize,
}

type BertTokenizer =
    TokenizerImpl<WordPiece, BertNormalizer, BertPreTokenizer, SpecialTokens, WordPieceDecoder>;

/// What puts the special tokens around a document.
#[derive(Deserialize)]
#[serde(untagged)]
enum SpecialTokens {
    Template(TemplateProcessing),
    Bert(BertProcessing),
}

impl PostProcessor for SpecialTokens {
    fn added_tokens(&self, is_pair: bool) -> usize {
        match self {
            Self::Template(template) => template.added_tokens(is_pair),
            Self::Bert(bert) => bert.added_tokens(is_pair),
        }
    }

    fn process_encodings(
        &self,
        encodings: Vec<Encoding>,
        add_special_tokens: bool,
    ) -> tokenizers::Result<Vec<Encoding>> {
        match self {
            Self::Template(template) => template.process_encodings(encodings, add_special_tokens),
            Self::Bert(bert) => bert.process_encodings(encodings, add_special_tokens),
        }
    }
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
                (tokenizer_file(&bytes, &file)?, file)
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
        let truncation = TruncationParams { max_length, ..TruncationParams::default() };
        inner.with_truncation(Some(truncation)).map_err(|error| Error::corrupt(&file, error.to_string()))?;
        let largest = inner.get_vocab(true).values().copied().max().unwrap_or(0);
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
        let encoding = self
            .inner
            .encode_fast(text, true)
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

/// The parts of a `tokenizer.json` and the types of each that are run.
const PARTS: [(&str, &[&str]); 4] = [
    ("model", &["WordPiece"]),
    ("normalizer", &["BertNormalizer"]),
    ("pre_tokenizer", &["BertPreTokenizer"]),
    ("post_processor", &["TemplateProcessing", "BertProcessing"]),
];

/// BERT's tokenizer from its own file.
fn tokenizer_file(bytes: &[u8], file: &str) -> Result<BertTokenizer> {
    let corrupt = |problem: String| Error::corrupt(file, problem);
    let mut parts: Value = serde_json::from_slice(bytes).map_err(|error| corrupt(error.to_string()))?;
    for (part, types) in PARTS {
        let found = match parts.get(part) {
            None | Some(Value::Null) => continue,
            // Files of 2020 do not say the type of their model.
            Some(value) if part == "model" => {
                value.get("type").and_then(Value::as_str).unwrap_or("WordPiece")
            }
            Some(value) => value.get("type").and_then(Value::as_str).unwrap_or("of no type"),
        };
        if !types.contains(&found) {
            let runs = types.join(" or ");
            return Err(Error::unsupported(format!("the {part} in {file} is {found:?}; {runs} is run")));
        }
    }
    if let Some(template) = parts.get("post_processor").filter(|part| part.get("single").is_some()) {
        check_template(template).map_err(corrupt)?;
    }
    if let Some(parts) = parts.as_object_mut() {
        // Of the training run, and for the way back from ids to texts.
        for part in ["truncation", "padding", "decoder"] {
            parts.remove(part);
        }
    }
    // Some of the parts borrow their strings, which only a text can lend.
    let text = parts.to_string();
    serde_json::from_str(&text).map_err(|error| corrupt(error.to_string()))
}

/// Refuses what `tokenizers` 0.23 accepts when it reads a file and panics on when it encodes: a template that names a
/// special token it does not define or a second sequence.
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
fn word_piece(vocabulary: &[u8], config: TokenizerConfig, file: &str) -> Result<BertTokenizer> {
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
        BertNormalizer::new(true, config.tokenize_chinese_chars, config.strip_accents, lower_case);
    let mut tokenizer = BertTokenizer::new(model);
    let problem = |error: tokenizers::Error| Error::corrupt(file, error.to_string());
    tokenizer.with_normalizer(Some(normalizer)).map_err(problem)?;
    tokenizer
        .with_pre_tokenizer(Some(BertPreTokenizer))
        .with_post_processor(Some(SpecialTokens::Bert(template)));
    tokenizer.add_special_tokens(special).map_err(problem)?;
    Ok(tokenizer)
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
