//! DeBERTa's tokenizer from a SentencePiece model, as transformers' `DebertaV2TokenizerFast` makes it where there is
//! no `tokenizer.json`. Upstream: `DebertaV2Converter` and `_from_pretrained` of transformers 4.57.

use std::collections::HashSet;

use prost::Message;
use serde_json::Value;
use tokenizers::AddedToken;
use tokenizers::SplitDelimiterBehavior::Isolated;
use tokenizers::normalizers::Strip;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::pre_tokenizers::punctuation::Punctuation;

use super::parts::{Assembly, Normalization, Sought, SpecialTokens, Splitting, Vocabulary, added_token};
use super::tokenization::Tokenization;
use super::unigram::{MAX_PIECES, Unigram, too_many};
use crate::error::{Error, Result};
use crate::folder::{Folder, read_json};

/// What stands for a space.
const SPACE: char = '\u{2581}';

/// Of `sentencepiece_model.proto`, what is read.
#[derive(Message)]
struct ModelProto {
    #[prost(message, repeated, tag = "1")]
    pieces: Vec<Piece>,
    #[prost(message, optional, tag = "2")]
    trainer: Option<TrainerSpec>,
    #[prost(message, optional, tag = "3")]
    normalizer: Option<NormalizerSpec>,
}

/// Of the same, how many pieces there are. Here they take no memory.
#[derive(Message)]
struct PieceCount {
    #[prost(message, repeated, tag = "1")]
    pieces: Vec<()>,
}

#[derive(Message)]
struct Piece {
    #[prost(string, optional, tag = "1")]
    text: Option<String>,
    #[prost(float, optional, tag = "2")]
    score: Option<f32>,
    #[prost(int32, optional, tag = "3", default = 1)]
    kind: Option<i32>,
}

impl Piece {
    const CONTROL: i32 = 3;
    const USER_DEFINED: i32 = 4;
}

#[derive(Message)]
struct TrainerSpec {
    #[prost(int32, optional, tag = "3", default = 1)]
    model_type: Option<i32>,
    #[prost(int32, optional, tag = "40", default = 0)]
    unk_id: Option<i32>,
}

#[derive(Message)]
struct NormalizerSpec {
    #[prost(bytes = "vec", optional, tag = "2")]
    precompiled_charsmap: Option<Vec<u8>>,
}

/// The files beside the model, in which its special tokens are named.
pub(super) struct Beside {
    config: Value,
    special_tokens_map: Value,
    added_tokens: Value,
}

impl Beside {
    pub(super) async fn read(folder: &impl Folder) -> Result<Self> {
        Ok(Self {
            config: read_json(folder, "tokenizer_config.json").await?.unwrap_or_default(),
            special_tokens_map: read_json(folder, "special_tokens_map.json").await?.unwrap_or_default(),
            added_tokens: read_json(folder, "added_tokens.json").await?.unwrap_or_default(),
        })
    }

    fn is_on(&self, switch: &str) -> bool {
        self.config.get(switch).and_then(Value::as_bool).unwrap_or(false)
    }

    /// The tokens that are looked for in a text beside those of the model itself, in the order of their ids.
    fn tokens(&mut self) -> Result<Vec<AddedToken>, String> {
        let mut listed: Vec<(i64, AddedToken)> = Vec::new();
        if let Some(decoder) = self.config.get(DECODER).and_then(Value::as_object) {
            for (id, token) in decoder {
                let id = id.parse().map_err(|_| format!("{id:?} is the id of an added token"))?;
                listed.push((id, added_token(token)?));
            }
        } else {
            self.merge();
            // What tokenizer_config.json writes as an object is not seen here.
            let names = SPECIAL.iter().filter_map(|&(name, _)| self.config.get(name));
            let special: HashSet<&str> =
                names.chain(list(&self.config, ADDITIONAL)).filter_map(name_of_special).collect();
            for (token, id) in self.added_tokens.as_object().into_iter().flatten() {
                let id = id.as_i64().ok_or_else(|| format!("the id of {token:?} is {id}"))?;
                let is_special = special.contains(token.as_str());
                listed.push((id, AddedToken::from(token.as_str(), is_special)));
            }
        }
        listed.sort_by_key(|&(id, _)| id);

        let special = special_tokens(&self.config)?;
        let mut tokens: Vec<AddedToken> = listed.into_iter().map(|(_, token)| token).collect();
        let names: HashSet<&str> = special.iter().map(|(token, _)| token.content.as_str()).collect();
        for token in &mut tokens {
            token.special |= names.contains(token.content.as_str());
        }
        let listed: HashSet<String> = tokens.iter().map(|token| token.content.clone()).collect();
        for (token, yields) in special {
            if !yields || !listed.contains(&token.content) {
                tokens.push(token);
            }
        }
        Ok(tokens)
    }

    /// Puts what `special_tokens_map.json` says in place of what `tokenizer_config.json` does; of the list, behind it.
    fn merge(&mut self) {
        let (Some(config), Some(map)) =
            (self.config.as_object_mut(), self.special_tokens_map.as_object_mut())
        else {
            return;
        };
        for (name, value) in std::mem::take(map) {
            let value = match (value, config.get_mut(&name)) {
                (Value::Array(mut more), Some(Value::Array(all))) => {
                    let known: HashSet<&Value> = all.iter().collect();
                    more.retain(|value| !known.contains(value));
                    all.append(&mut more);
                    continue;
                }
                (value, _) => value,
            };
            config.insert(name, value);
        }
    }
}

/// The special tokens that every tokenizer of transformers has, and DeBERTa's.
const SPECIAL: [(&str, &str); 7] = [
    ("bos_token", "[CLS]"),
    ("eos_token", "[SEP]"),
    ("unk_token", "[UNK]"),
    ("sep_token", "[SEP]"),
    ("pad_token", "[PAD]"),
    ("cls_token", "[CLS]"),
    ("mask_token", "[MASK]"),
];

/// A list of more of them.
const ADDITIONAL: &str = "additional_special_tokens";

/// Where files since 2023 list all tokens that were added, by their ids.
const DECODER: &str = "added_tokens_decoder";

fn list<'a>(object: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    object.get(name).and_then(Value::as_array).into_iter().flatten()
}

/// The special tokens, each with whether flags that are written elsewhere win over its own.
fn special_tokens(config: &Value) -> Result<Vec<(AddedToken, bool)>, String> {
    let has_decoder = config.get(DECODER).is_some();
    let mut tokens: Vec<(AddedToken, bool)> = Vec::new();
    let mut seen = HashSet::new();
    for (name, default) in SPECIAL {
        let (token, yields) = match config.get(name) {
            None => (AddedToken::from(default, true), true),
            Some(Value::Null) => continue,
            Some(Value::String(content)) => (AddedToken::from(content, true), true),
            Some(value) => (special(value)?, has_decoder),
        };
        // By a line of its own in `DebertaV2Tokenizer`.
        let is_unknown = name == "unk_token" && matches!(config.get(name), None | Some(Value::String(_)));
        let token = if is_unknown { token.normalized(true) } else { token };
        if seen.insert(token.content.clone()) {
            tokens.push((token, yields && (has_decoder || !is_unknown)));
        }
    }
    for value in list(config, ADDITIONAL) {
        let token = match value {
            Value::String(content) => AddedToken::from(content, true),
            value => special(value)?,
        };
        if seen.insert(token.content.clone()) {
            tokens.push((token, value.is_string()));
        }
    }
    Ok(tokens)
}

/// A special token that is written as an object. Those of `special_tokens_map.json`, which do not say their type, are
/// special before the default of `normalized` is asked for.
fn special(value: &Value) -> Result<AddedToken, String> {
    let token = added_token(value)?;
    let is_normalized =
        token.normalized && (value.get("__type").is_some() || value.get("normalized").is_some());
    Ok(token.special(true).normalized(is_normalized))
}

/// What a special token is called where it is written as a string or comes from `special_tokens_map.json`; an object of
/// `tokenizer_config.json` says its type.
fn name_of_special(value: &Value) -> Option<&str> {
    match value {
        Value::String(content) => Some(content),
        value if value.get("__type").is_some() => None,
        value => value.get("content").and_then(Value::as_str),
    }
}

/// The tokenizer of a `spm.model` and the files beside it.
pub(super) fn read(model: &[u8], mut beside: Beside, file: &str) -> Result<Tokenization> {
    let corrupt = |problem: String| Error::corrupt(file, problem);
    let count = PieceCount::decode(model).map_err(|error| corrupt(error.to_string()))?.pieces.len();
    if count > MAX_PIECES {
        return Err(corrupt(too_many(count)));
    }
    let model = ModelProto::decode(model).map_err(|error| corrupt(error.to_string()))?;
    let trainer = model.trainer.unwrap_or_default();
    let algorithm = match trainer.model_type() {
        1 => None,
        2 => Some("BPE"),
        3 => Some("word"),
        4 => Some("character"),
        _ => Some("unknown"),
    };
    if let Some(algorithm) = algorithm {
        return Err(Error::unsupported(format!(
            "the SentencePiece model in {file} is a {algorithm} model; Unigram is run"
        )));
    }
    let own = |piece: &Piece| {
        let is_special = piece.kind() == Piece::CONTROL;
        (is_special || piece.kind() == Piece::USER_DEFINED)
            .then(|| AddedToken::from(piece.text(), is_special).normalized(false))
    };
    let mut tokens: Vec<AddedToken> = model.pieces.iter().filter_map(own).collect();
    tokens.extend(beside.tokens().map_err(corrupt)?);

    let pieces = model.pieces.into_iter().map(|piece| {
        let score = piece.score().into();
        (piece.text.unwrap_or_default(), score)
    });
    let unknown = usize::try_from(trainer.unk_id()).map_err(|error| corrupt(error.to_string()))?;
    let unigram = Unigram::new(pieces.collect(), Some(unknown), false).map_err(corrupt)?;
    let id = |token: &str| unigram.id(token).ok_or_else(|| corrupt(format!("the vocabulary has no {token}")));
    let special_tokens = SpecialTokens::between(id("[CLS]")?, id("[SEP]")?);

    let mut normalizers = Vec::new();
    if beside.is_on("do_lower_case") {
        normalizers.push(Normalization::Lowercase);
    }
    normalizers.push(Normalization::Strip(Strip::new(true, true)));
    if let Some(table) = model.normalizer.and_then(|normalizer| normalizer.precompiled_charsmap)
        && !table.is_empty()
    {
        normalizers.push(Normalization::precompiled(&table, file)?);
    }
    normalizers.push(Normalization::Replace { sought: Sought::Spaces, content: " ".to_owned() });

    let mut splits = Vec::new();
    if beside.is_on("split_by_punct") {
        splits.push(Splitting::Punctuation(Punctuation::new(Isolated)));
    }
    splits.push(Splitting::Metaspace(Metaspace::new(SPACE, PrependScheme::Always, true)));

    let parts = Assembly {
        vocabulary: Vocabulary::Unigram(unigram),
        normalization: Some(Normalization::Sequence(normalizers)),
        splitting: Some(Splitting::Sequence(splits)),
        special_tokens,
        added_tokens: tokens,
    };
    Tokenization::new(parts, file)
}
