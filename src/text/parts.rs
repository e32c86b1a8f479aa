//! The parts of a `tokenizer.json`, each by the code of `tokenizers` itself.
//!
//! Its own enums of all parts would link every one of them, which is 150 KB gzipped. These hold what BERT's and
//! DeBERTa's tokenizers are made of; any other part is refused by name.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::{BertNormalizer, Lowercase, NFC, NFD, NFKC, NFKD, Precompiled, Prepend, Strip};
use tokenizers::pattern::Pattern;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::pre_tokenizers::punctuation::Punctuation;
use tokenizers::pre_tokenizers::whitespace::WhitespaceSplit;
use tokenizers::{
    AddedToken, Model as _, NormalizedString, Normalizer, Offsets, PreTokenizedString, PreTokenizer,
    SplitDelimiterBehavior, Token,
};

use super::unigram::Unigram;
use crate::error::{Error, Result};

/// The parts, before they are put together.
pub(super) struct Assembly {
    pub(super) vocabulary: Vocabulary,
    pub(super) normalization: Option<Normalization>,
    pub(super) splitting: Option<Splitting>,
    pub(super) special_tokens: SpecialTokens,
    pub(super) added_tokens: Vec<AddedToken>,
}

impl Assembly {
    /// Reads a `tokenizer.json`.
    pub(super) fn read(bytes: &[u8], file: &str) -> Result<Self> {
        let members = members(bytes, file)?;
        let part = |name: &str| -> Result<Value> {
            members.get(name).map_or(Ok(Value::Null), |part| parsed(part.get(), file))
        };
        let set = |part: Value| Some(part).filter(|part| !part.is_null());
        let model = members.get("model").ok_or_else(|| Error::corrupt(file, "it has no model"))?;
        let tokens = part("added_tokens")?;
        let tokens = tokens.as_array().map_or(&[][..], Vec::as_slice);
        Ok(Self {
            normalization: set(part("normalizer")?)
                .map(|part| Normalization::read(&part, file))
                .transpose()?,
            splitting: set(part("pre_tokenizer")?).map(|part| Splitting::read(&part, file)).transpose()?,
            special_tokens: set(part("post_processor")?)
                .map_or_else(|| Ok(SpecialTokens::default()), |part| SpecialTokens::read(&part, file))?,
            vocabulary: Vocabulary::read(model.get(), file)?,
            added_tokens: tokens
                .iter()
                .map(|token| added_token(token).map_err(|problem| Error::corrupt(file, problem)))
                .collect::<Result<_>>()?,
        })
    }
}

/// What makes tokens of words.
pub(super) enum Vocabulary {
    WordPiece(WordPiece),
    Unigram(Unigram),
}

impl Vocabulary {
    const TYPES: [&str; 2] = ["WordPiece", "Unigram"];

    /// Reads the model of a `tokenizer.json`, which is most of the file.
    pub(super) fn read(text: &str, file: &str) -> Result<Self> {
        let members = members(text.as_bytes(), file)?;
        let part = |name: &str| -> Result<Value> {
            members.get(name).map_or(Ok(Value::Null), |part| parsed(part.get(), file))
        };
        // Files of 2020 do not say the type of their model.
        match part("type")?.as_str().unwrap_or("WordPiece") {
            "WordPiece" => Ok(Self::WordPiece(parsed(text, file)?)),
            "Unigram" => {
                let pieces = members.get("vocab").map_or("[]", |part| part.get());
                let unknown = part("unk_id")?.as_u64().map(|id| id as usize);
                let byte_fallback = part("byte_fallback")?.as_bool().unwrap_or(false);
                let unigram = Unigram::new(parsed(pieces, file)?, unknown, byte_fallback);
                Ok(Self::Unigram(unigram.map_err(|problem| Error::corrupt(file, problem))?))
            }
            other => Err(not_run("model", other, &Self::TYPES, file)),
        }
    }

    /// The largest id of a token.
    pub(super) fn largest_id(&self) -> u32 {
        match self {
            Self::WordPiece(model) => model.get_vocab().into_values().max().unwrap_or(0),
            Self::Unigram(model) => (model.size() as u32).saturating_sub(1),
        }
    }

    /// The tokens of a word.
    pub(super) fn tokenize(&self, word: &str) -> tokenizers::Result<Vec<Token>> {
        match self {
            Self::WordPiece(model) => model.tokenize(word),
            Self::Unigram(model) => Ok(model.tokenize(word)?),
        }
    }

    /// The id of a token.
    pub(super) fn id(&self, token: &str) -> Option<u32> {
        match self {
            Self::WordPiece(model) => model.token_to_id(token),
            Self::Unigram(model) => model.id(token),
        }
    }

    /// How many tokens there are.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::WordPiece(model) => model.get_vocab_size(),
            Self::Unigram(model) => model.size(),
        }
    }
}

/// What changes a text before it is cut into words.
pub(super) enum Normalization {
    Bert(BertNormalizer),
    Sequence(Vec<Self>),
    Lowercase,
    Strip(Strip),
    Nfc,
    Nfd,
    Nfkc,
    Nfkd,
    Precompiled(Precompiled),
    Replace { sought: Sought, content: String },
    Prepend(Prepend),
}

impl Normalization {
    const TYPES: [&str; 11] = [
        "BertNormalizer",
        "Sequence",
        "Lowercase",
        "Strip",
        "NFC",
        "NFD",
        "NFKC",
        "NFKD",
        "Precompiled",
        "Replace",
        "Prepend",
    ];
    /// The member of a sequence that has its parts.
    const PARTS: &str = "normalizers";

    /// How many times longer all parts together may make a text. Those of a stranger could fill the memory.
    const MOST_GROWTH: usize = 4096;

    /// Reads the normalizer of a `tokenizer.json`.
    pub(super) fn read(part: &Value, file: &str) -> Result<Self> {
        check_count(part, Self::PARTS, file)?;
        let normalization = Self::read_part(part, file)?;
        if normalization.growth() > Self::MOST_GROWTH {
            let problem = format!("its normalizer can make a text {} times as long", normalization.growth());
            return Err(Error::corrupt(file, problem));
        }
        Ok(normalization)
    }

    fn read_part(part: &Value, file: &str) -> Result<Self> {
        Ok(match kind(part) {
            "BertNormalizer" => Self::Bert(BertNormalizer::new(
                flag(part, "clean_text", file)?,
                flag(part, "handle_chinese_chars", file)?,
                part.get("strip_accents").and_then(Value::as_bool),
                flag(part, "lowercase", file)?,
            )),
            "Sequence" => Self::Sequence(sequence(part, Self::PARTS, file, Self::read_part)?),
            "Lowercase" => Self::Lowercase,
            "Strip" => {
                Self::Strip(Strip::new(flag(part, "strip_left", file)?, flag(part, "strip_right", file)?))
            }
            "NFC" => Self::Nfc,
            "NFD" => Self::Nfd,
            "NFKC" => Self::Nfkc,
            "NFKD" => Self::Nfkd,
            "Precompiled" => {
                let table = BASE64_STANDARD.decode(string(part, "precompiled_charsmap", file)?);
                Self::precompiled(&table.map_err(|error| Error::corrupt(file, error.to_string()))?, file)?
            }
            "Replace" => {
                let content = string(part, "content", file)?;
                let sought = Sought::read(part.get("pattern").unwrap_or(&Value::Null), file)?;
                Self::Replace { sought, content: content.to_owned() }
            }
            "Prepend" => Self::Prepend(Prepend::new(string(part, "prepend", file)?.to_owned())),
            other => return Err(not_run("normalizer", other, &Self::TYPES, file)),
        })
    }

    /// Reads the table of a SentencePiece model that says what characters become.
    pub(super) fn precompiled(table: &[u8], file: &str) -> Result<Self> {
        check_table(table)
            .and_then(|()| Precompiled::from(table).ok())
            .map(Self::Precompiled)
            .ok_or_else(|| Error::corrupt(file, "its table of characters (precompiled_charsmap) is broken"))
    }

    /// How many times longer this can make a text at most.
    fn growth(&self) -> usize {
        const LOWERCASE: usize = 2;
        // By UAX #15, of bytes in UTF-8.
        const CANONICAL: usize = 3;
        const COMPATIBLE: usize = 11;
        match self {
            Self::Bert(part) => {
                // Two spaces around a character.
                let spaces = if part.handle_chinese_chars { 3 } else { 1 };
                let strips_accents = part.strip_accents.unwrap_or(part.lowercase);
                let accents = if strips_accents { CANONICAL } else { 1 };
                spaces * accents * if part.lowercase { LOWERCASE } else { 1 }
            }
            Self::Sequence(parts) => parts.iter().map(Self::growth).fold(1, usize::saturating_mul),
            Self::Lowercase => LOWERCASE,
            Self::Strip(_) => 1,
            Self::Nfc | Self::Nfd => CANONICAL,
            Self::Nfkc | Self::Nfkd => COMPATIBLE,
            Self::Precompiled(_) => LONGEST_ENTRY,
            Self::Replace { sought, content } => content.len().div_ceil(sought.shortest()).max(1),
            Self::Prepend(part) => part.prepend.len().saturating_add(1),
        }
    }

    /// Whether of a text with a space between two plain letters on each side, what stands before the space becomes the same
    /// whatever follows, and the space stays one. Nothing composes with a space, no grapheme reaches over a plain letter,
    /// and one space is no run of them. Where letters are replaced, or a table of characters follows another, other letters
    /// may stand there.
    pub(super) fn is_local(&self) -> bool {
        let is_local = match self {
            Self::Sequence(parts) => parts.iter().all(Self::is_local),
            Self::Precompiled(table) => keeps_words(table),
            Self::Replace { sought: Sought::Text(_), .. } | Self::Prepend(_) => false,
            _ => true,
        };
        is_local && self.tables() <= 1
    }

    /// How many tables of characters there are.
    fn tables(&self) -> usize {
        match self {
            Self::Precompiled(_) => 1,
            Self::Sequence(parts) => parts.iter().map(Self::tables).sum(),
            _ => 0,
        }
    }
}

impl Normalizer for Normalization {
    fn normalize(&self, text: &mut NormalizedString) -> tokenizers::Result<()> {
        match self {
            Self::Bert(part) => part.normalize(text),
            Self::Sequence(parts) => parts.iter().try_for_each(|part| part.normalize(text)),
            Self::Lowercase => Lowercase.normalize(text),
            Self::Strip(part) => part.normalize(text),
            Self::Nfc => NFC.normalize(text),
            Self::Nfd => NFD.normalize(text),
            Self::Nfkc => NFKC.normalize(text),
            Self::Nfkd => NFKD.normalize(text),
            Self::Precompiled(part) => part.normalize(text),
            Self::Replace { sought, content } => text.replace(sought, content),
            Self::Prepend(part) => part.normalize(text),
        }
    }
}

/// What is replaced: a string, or one of the two regular expressions that transformers writes.
pub(super) enum Sought {
    Text(String),
    /// ` {2,}`
    Spaces,
    /// `\s{2,}|[\n\r\t]`
    Whitespace,
}

impl Sought {
    fn read(pattern: &Value, file: &str) -> Result<Self> {
        let written = |kind: &str| pattern.get(kind).and_then(Value::as_str);
        match (written("String"), written("Regex")) {
            (Some(text), _) if !text.is_empty() => Ok(Self::Text(text.to_owned())),
            (_, Some(" {2,}")) => Ok(Self::Spaces),
            (_, Some(r"\s{2,}|[\n\r\t]")) => Ok(Self::Whitespace),
            (_, Some(other)) => Err(Error::unsupported(format!(
                "the normalizer in {file} replaces by the regular expression {other:?}, which is not run"
            ))),
            _ => Err(Error::corrupt(file, "a normalizer does not say what it replaces")),
        }
    }

    /// The fewest bytes that are replaced at once.
    fn shortest(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Spaces => 2,
            Self::Whitespace => 1,
        }
    }

    /// Where the next match is.
    fn find(&self, text: &str) -> Option<Offsets> {
        if let Self::Text(sought) = self {
            return text.find(sought.as_str()).map(|at| (at, at + sought.len()));
        }
        let is_space =
            |letter: char| if matches!(self, Self::Spaces) { letter == ' ' } else { letter.is_whitespace() };
        let mut from = 0;
        loop {
            let start = from + text.get(from..)?.find(is_space)?;
            let run = text.get(start..)?;
            let length = run.find(|letter| !is_space(letter)).unwrap_or(run.len());
            let mut letters = run.chars();
            let is_single = letters.next().is_some_and(|letter| letter.len_utf8() == length);
            if !is_single || (matches!(self, Self::Whitespace) && run.starts_with(['\n', '\r', '\t'])) {
                return Some((start, start + length));
            }
            from = start + length;
        }
    }
}

impl Pattern for &Sought {
    fn find_matches(&self, inside: &str) -> tokenizers::Result<Vec<(Offsets, bool)>> {
        let mut matches = Vec::new();
        let mut done = 0;
        while let Some((start, end)) = inside.get(done..).and_then(|rest| self.find(rest)) {
            if start > 0 {
                matches.push(((done, done + start), false));
            }
            matches.push(((done + start, done + end), true));
            done += end;
        }
        if done < inside.len() || matches.is_empty() {
            matches.push(((done, inside.len()), false));
        }
        Ok(matches)
    }
}

/// What cuts a text into words.
pub(super) enum Splitting {
    Bert,
    Metaspace(Metaspace),
    Punctuation(Punctuation),
    Whitespace,
    Sequence(Vec<Self>),
}

impl Splitting {
    const TYPES: [&str; 5] = ["BertPreTokenizer", "Metaspace", "Punctuation", "WhitespaceSplit", "Sequence"];
    /// The member of a sequence that has its parts.
    const PARTS: &str = "pretokenizers";

    /// Reads the pre-tokenizer of a `tokenizer.json`.
    pub(super) fn read(part: &Value, file: &str) -> Result<Self> {
        check_count(part, Self::PARTS, file)?;
        let splitting = Self::read_part(part, file)?;
        // One puts a character in front of every word, another one cuts it off and puts one in front of each half.
        match splitting.metaspaces() {
            0 | 1 => Ok(splitting),
            count => {
                let problem = format!("its pre_tokenizer has {count} parts of type Metaspace, not one");
                Err(Error::corrupt(file, problem))
            }
        }
    }

    fn read_part(part: &Value, file: &str) -> Result<Self> {
        Ok(match kind(part) {
            "BertPreTokenizer" => Self::Bert,
            "Metaspace" => Self::Metaspace(metaspace(part, file)?),
            "Punctuation" => Self::Punctuation(Punctuation::new(match member(part, "behavior") {
                None | Some("Isolated") => SplitDelimiterBehavior::Isolated,
                Some("Removed") => SplitDelimiterBehavior::Removed,
                Some("MergedWithPrevious") => SplitDelimiterBehavior::MergedWithPrevious,
                Some("MergedWithNext") => SplitDelimiterBehavior::MergedWithNext,
                Some("Contiguous") => SplitDelimiterBehavior::Contiguous,
                Some(other) => return Err(Error::corrupt(file, format!("its punctuation is {other:?}"))),
            })),
            "WhitespaceSplit" => Self::Whitespace,
            "Sequence" => Self::Sequence(sequence(part, Self::PARTS, file, Self::read_part)?),
            other => return Err(not_run("pre_tokenizer", other, &Self::TYPES, file)),
        })
    }

    fn metaspaces(&self) -> usize {
        match self {
            Self::Metaspace(_) => 1,
            Self::Sequence(parts) => parts.iter().map(Self::metaspaces).sum(),
            _ => 0,
        }
    }

    /// Whether a space always stands between two words; none where it is for another part to say.
    pub(super) fn splits_at_spaces(&self) -> Option<bool> {
        match self {
            Self::Bert | Self::Whitespace => Some(true),
            // Behind it there are no spaces any more.
            Self::Metaspace(part) => Some(part.get_split()),
            Self::Punctuation(_) => None,
            Self::Sequence(parts) => parts.iter().find_map(Self::splits_at_spaces),
        }
    }
}

impl PreTokenizer for Splitting {
    fn pre_tokenize(&self, text: &mut PreTokenizedString) -> tokenizers::Result<()> {
        match self {
            Self::Bert => BertPreTokenizer.pre_tokenize(text),
            Self::Metaspace(part) => part.pre_tokenize(text),
            Self::Punctuation(part) => part.pre_tokenize(text),
            Self::Whitespace => WhitespaceSplit.pre_tokenize(text),
            Self::Sequence(parts) => parts.iter().try_for_each(|part| part.pre_tokenize(text)),
        }
    }
}

/// The special tokens that stand around a text.
pub(super) struct SpecialTokens(Vec<Place>);

enum Place {
    Text,
    Special(Vec<u32>),
}

impl Default for SpecialTokens {
    fn default() -> Self {
        Self(vec![Place::Text])
    }
}

impl SpecialTokens {
    const TYPES: [&str; 2] = ["TemplateProcessing", "BertProcessing"];
    /// The most that a template may have; published ones have two.
    const MOST: usize = 512;

    /// A text between two tokens.
    pub(super) fn between(before: u32, behind: u32) -> Self {
        Self(vec![Place::Special(vec![before]), Place::Text, Place::Special(vec![behind])])
    }

    /// Reads the post-processor of a `tokenizer.json`.
    pub(super) fn read(part: &Value, file: &str) -> Result<Self> {
        let corrupt = |problem: String| Error::corrupt(file, problem);
        match kind(part) {
            "TemplateProcessing" => {
                let pieces = part.get("single").and_then(Value::as_array);
                let pieces =
                    pieces.ok_or_else(|| corrupt("its template has no single sequence".to_owned()))?;
                let mut places = Self(Vec::new());
                for piece in pieces {
                    places.0.push(Place::read(piece, part).map_err(corrupt)?);
                    if places.count() > Self::MOST || places.0.len() > Self::MOST {
                        let problem = format!("its template has more than {} special tokens", Self::MOST);
                        return Err(corrupt(problem));
                    }
                }
                if places.0.iter().filter(|place| matches!(place, Place::Text)).count() > 1 {
                    return Err(corrupt("its template has the text more than once".to_owned()));
                }
                Ok(places)
            }
            "BertProcessing" => {
                let token = |name: &str| u32::try_from(part.get(name)?.get(1)?.as_u64()?).ok();
                let tokens = token("cls").zip(token("sep"));
                let (cls, sep) = tokens.ok_or_else(|| corrupt("its sep or cls is no token".to_owned()))?;
                Ok(Self::between(cls, sep))
            }
            other => Err(not_run("post_processor", other, &Self::TYPES, file)),
        }
    }

    /// How many they are.
    pub(super) fn count(&self) -> usize {
        let count = |place: &Place| match place {
            Place::Text => 0,
            Place::Special(ids) => ids.len(),
        };
        self.0.iter().map(count).sum()
    }

    /// The ids of a text with those that stand around it.
    pub(super) fn around(&self, text: &(impl Iterator<Item = u32> + Clone)) -> Vec<u32> {
        let mut ids = Vec::new();
        for place in &self.0 {
            match place {
                Place::Text => ids.extend(text.clone()),
                Place::Special(special) => ids.extend_from_slice(special),
            }
        }
        ids
    }
}

impl Place {
    fn read(piece: &Value, template: &Value) -> Result<Self, String> {
        match piece.pointer("/Sequence/id").and_then(Value::as_str) {
            Some("A") => return Ok(Self::Text),
            Some(_) => return Err("its template for one sequence asks for a second one".to_owned()),
            None => {}
        }
        let token = piece.pointer("/SpecialToken/id").and_then(Value::as_str);
        let token = token.ok_or_else(|| format!("its template has a piece {piece}"))?;
        let defined =
            template.get("special_tokens").and_then(|tokens| tokens.get(token)?.get("ids")?.as_array());
        let defined = defined
            .ok_or_else(|| format!("its template has a special token {token:?} that it does not define"))?;
        let ids: Option<Vec<u32>> =
            defined.iter().map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok())).collect();
        ids.map(Self::Special)
            .ok_or_else(|| format!("the special token {token:?} of its template has no ids"))
    }
}

/// A token that is looked for in texts, as `AddedToken(**value)` reads it in Python.
pub(super) fn added_token(value: &Value) -> Result<AddedToken, String> {
    let flag = |name: &str| value.get(name).and_then(Value::as_bool);
    let content = member(value, "content").ok_or_else(|| format!("an added token is {value}"))?;
    let token = AddedToken::from(content, flag("special").unwrap_or(false));
    let normalized = flag("normalized").unwrap_or(token.normalized);
    Ok(token
        .normalized(normalized)
        .single_word(flag("single_word").unwrap_or(false))
        .lstrip(flag("lstrip").unwrap_or(false))
        .rstrip(flag("rstrip").unwrap_or(false)))
}

/// As `tokenizers` reads it. Before its release 0.15, `add_prefix_space` said what `prepend_scheme` says now.
fn metaspace(part: &Value, file: &str) -> Result<Metaspace> {
    let scheme = match (member(part, "prepend_scheme"), part.get("add_prefix_space").and_then(Value::as_bool))
    {
        (Some("never"), _) => PrependScheme::Never,
        (None | Some("always"), None | Some(true)) => PrependScheme::Always,
        (Some("first"), None | Some(true)) => PrependScheme::First,
        (scheme, _) => {
            let problem = format!("its prepend_scheme is {scheme:?}, which add_prefix_space contradicts");
            return Err(Error::corrupt(file, problem));
        }
    };
    let mut replacement = string(part, "replacement", file)?.chars();
    let (Some(space), None) = (replacement.next(), replacement.next()) else {
        return Err(Error::corrupt(file, "it does not replace spaces by one character"));
    };
    Ok(Metaspace::new(space, scheme, part.get("split").and_then(Value::as_bool).unwrap_or(true)))
}

/// The members of an object, which are parsed one at a time.
fn members<'a>(object: &'a [u8], file: &str) -> Result<BTreeMap<String, &'a RawValue>> {
    serde_json::from_slice(object).map_err(|error| Error::corrupt(file, error.to_string()))
}

fn parsed<T: DeserializeOwned>(text: &str, file: &str) -> Result<T> {
    serde_json::from_slice(text.as_bytes()).map_err(|error| Error::corrupt(file, error.to_string()))
}

fn member<'a>(part: &'a Value, name: &str) -> Option<&'a str> {
    part.get(name).and_then(Value::as_str)
}

fn kind(part: &Value) -> &str {
    member(part, "type").unwrap_or("of no type")
}

fn string<'a>(part: &'a Value, name: &str, file: &str) -> Result<&'a str> {
    member(part, name).ok_or_else(|| missing(part, name, file))
}

fn flag(part: &Value, name: &str, file: &str) -> Result<bool> {
    part.get(name).and_then(Value::as_bool).ok_or_else(|| missing(part, name, file))
}

fn sequence<T>(part: &Value, name: &str, file: &str, read: fn(&Value, &str) -> Result<T>) -> Result<Vec<T>> {
    let parts = part.get(name).and_then(Value::as_array).ok_or_else(|| missing(part, name, file))?;
    parts.iter().map(|part| read(part, file)).collect()
}

/// The most parts of a normalizer or a pre-tokenizer, those within others among them. Each goes through the whole text;
/// published ones have up to seven.
const MAX_PARTS: usize = 32;

fn check_count(part: &Value, name: &str, file: &str) -> Result<()> {
    fn count(part: &Value, name: &str) -> usize {
        let parts = part.get(name).and_then(Value::as_array).into_iter().flatten();
        parts.map(|part| 1 + count(part, name)).sum()
    }
    match count(part, name) {
        0..=MAX_PARTS => Ok(()),
        count => Err(Error::corrupt(file, format!("it has {count} {name}; up to {MAX_PARTS} are run"))),
    }
}

fn missing(part: &Value, name: &str, file: &str) -> Error {
    Error::corrupt(file, format!("its {} has no {name}", kind(part)))
}

fn not_run(part: &str, found: &str, types: &[&str], file: &str) -> Error {
    let types = types.join(", ");
    Error::unsupported(format!("the {part} in {file} is {found:?}, not one of {types}"))
}

/// The most bytes that an entry of a table of characters may have; those of Unicode have 33.
const LONGEST_ENTRY: usize = 64;

/// Refuses the tables that `spm_precompiled` 0.1 reads and panics on when it looks something up. A table is the size of a
/// double-array trie, its units, and strings that end with a zero, into which the trie's values point.
fn check_table(table: &[u8]) -> Option<()> {
    let (size, rest) = table.split_first_chunk()?;
    let (units, strings) = rest.split_at_checked(u32::from_le_bytes(*size) as usize)?;
    let strings = std::str::from_utf8(strings).ok()?;
    let (units, []) = units.as_chunks() else { return None };
    let unit = |at: usize| units.get(at).map(|unit| u32::from_le_bytes(*unit) as usize);
    // Of an empty trie not even the root is there.
    unit(0)?;
    for at in 0..units.len() {
        let node = unit(at)?;
        // It is not walked on from a value; but the root is not asked.
        let is_value = node >> 31 == 1;
        if is_value && at > 0 {
            continue;
        }
        // The next unit is here, but for the eight bits of the next byte.
        let next = at ^ ((node >> 10) << ((node & (1 << 9)) >> 6));
        unit(next | 0xff)?;
        let has_value = node >> 8 & 1 == 1;
        if has_value {
            let entry = strings.get(unit(next)? & 0x7fff_ffff..)?;
            if entry.find('\0').unwrap_or(entry.len()) > LONGEST_ENTRY {
                return None;
            }
        }
    }
    Some(())
}

/// Whether a table makes plain letters of plain letters, one of each, and leaves spaces alone.
fn keeps_words(table: &Precompiled) -> bool {
    let becomes = |letter: char| {
        let Some(found) = table.transform(letter.encode_utf8(&mut [0; 4])) else { return Some(letter) };
        let mut letters = found.chars();
        letters.next().filter(|_| letters.next().is_none())
    };
    let plain = ('0'..='9').chain('A'..='Z').chain('a'..='z');
    becomes(' ') == Some(' ')
        && plain.map(becomes).all(|letter| letter.is_some_and(|letter| letter.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_sought_is_found_as_the_expressions_find_it(text in "[ab \t\n\r\u{a0}\u{2003}]{0,12}") {
            for (expression, sought) in [
                (r" {2,}", Sought::Spaces),
                (r"\s{2,}|[\n\r\t]", Sought::Whitespace),
                ("aa", Sought::Text("aa".to_owned())),
            ] {
                let theirs = tokenizers::utils::SysRegex::new(expression).expect("it is an expression");
                prop_assert_eq!(
                    (&sought).find_matches(&text).expect("it finds"),
                    (&theirs).find_matches(&text).expect("it finds"),
                    "{} in {:?}", expression, text
                );
            }
        }
    }
}
