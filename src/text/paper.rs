//! What a caller hands in: a paper, or a plain string.

use std::borrow::Cow;
use std::fmt;

use crate::error::{Error, Result};

/// One thing to embed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// A paper; at least one of the two parts is there.
    Paper {
        /// The title.
        title: Option<String>,
        /// The abstract.
        r#abstract: Option<String>,
    },
    /// A string that is encoded as it is.
    Text(String),
}

impl Document {
    /// A paper of a title and an abstract, either of which may be missing, but not both.
    pub fn paper(title: Option<String>, r#abstract: Option<String>) -> Result<Self> {
        if title.is_none() && r#abstract.is_none() {
            return Err(Error::InvalidInput {
                problem: "A paper has neither a title nor an abstract; give it one of the two".to_owned(),
            });
        }
        Ok(Self::Paper { title, r#abstract })
    }

    /// The string that the tokenizer sees: a plain text as it is, a paper by a template.
    #[must_use]
    pub fn text(&self, template: &Template, separator: &str) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Paper { title, r#abstract } => {
                let part = |part: &Option<String>| part.clone().unwrap_or_default();
                Cow::Owned(template.fill(&part(title), &part(r#abstract), separator))
            }
        }
    }
}

/// How a paper becomes a text, with `{title}`, `{abstract}` and `{sep}` where they belong. A part that is missing is
/// the empty string, and so is what stands between it and the other one, as the `. ` of `{title}. {abstract}`; but `{sep}`
/// stays, as in SPECTER2's own code. `{sep}` is the tokenizer's own separator, `[SEP]` for BERT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Title,
    Abstract,
    Separator,
}

impl Piece {
    const NAMES: [(&str, Self); 3] =
        [("{title}", Self::Title), ("{abstract}", Self::Abstract), ("{sep}", Self::Separator)];
}

/// `{title}{sep}{abstract}`, the formula of SPECTER2's model card.
impl Default for Template {
    fn default() -> Self {
        Self(vec![Piece::Title, Piece::Separator, Piece::Abstract])
    }
}

impl Template {
    /// Reads a template, which has a title or an abstract in it.
    pub fn new(template: &str) -> Result<Self> {
        let mut pieces = Vec::new();
        let mut rest = template;
        while !rest.is_empty() {
            let found = Piece::NAMES.iter().filter_map(|(name, piece)| Some((rest.find(name)?, name, piece)));
            let Some((at, name, piece)) = found.min_by_key(|&(at, ..)| at) else {
                pieces.push(Piece::Text(rest.to_owned()));
                break;
            };
            let (text, behind) = rest.split_at(at);
            if !text.is_empty() {
                pieces.push(Piece::Text(text.to_owned()));
            }
            pieces.push(piece.clone());
            rest = behind.strip_prefix(name).unwrap_or_default();
        }
        if pieces.contains(&Piece::Title) || pieces.contains(&Piece::Abstract) {
            Ok(Self(pieces))
        } else {
            let problem = format!(
                "the template {template:?} has neither {{title}} nor {{abstract}}, so all papers would be the same text"
            );
            Err(Error::InvalidOption { problem })
        }
    }

    fn fill(&self, title: &str, r#abstract: &str, separator: &str) -> String {
        let one_is_missing = title.is_empty() || r#abstract.is_empty();
        let is_part = |at: usize| matches!(self.0.get(at), Some(Piece::Title | Piece::Abstract));
        let pieces = self.0.iter().enumerate().map(|(at, piece)| match piece {
            Piece::Text(_) if one_is_missing && at > 0 && is_part(at - 1) && is_part(at + 1) => "",
            Piece::Text(text) => text.as_str(),
            Piece::Title => title,
            Piece::Abstract => r#abstract,
            Piece::Separator => separator,
        });
        pieces.collect()
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fill("{title}", "{abstract}", "{sep}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_part_leaves_its_side_of_the_separator_empty() -> Result<()> {
        let both = Document::paper(Some("T".into()), Some("A".into()))?;
        let title = Document::paper(Some("T".into()), None)?;
        let r#abstract = Document::paper(None, Some("A".into()))?;
        let template = Template::default();
        assert_eq!(both.text(&template, "[SEP]"), "T[SEP]A");
        assert_eq!(title.text(&template, "[SEP]"), "T[SEP]");
        assert_eq!(r#abstract.text(&template, "[SEP]"), "[SEP]A");
        let template = Template::new("{title}. {abstract}!")?;
        assert_eq!(both.text(&template, "[SEP]"), "T. A!");
        assert_eq!(title.text(&template, "[SEP]"), "T!");
        assert_eq!(r#abstract.text(&template, "[SEP]"), "A!");
        assert_eq!(Document::Text("x [SEP] y".into()).text(&template, "[SEP]"), "x [SEP] y");
        Ok(())
    }

    #[test]
    fn a_template_puts_each_part_where_it_says() -> Result<()> {
        let paper = Document::paper(Some("{abstract}".into()), Some("A".into()))?;
        for (template, text) in [
            ("{title}. {abstract}", "{abstract}. A"),
            ("{sep}{abstract}{sep}{title}!", "<s>A<s>{abstract}!"),
            ("{abstract}", "A"),
            ("{{title}}", "{{abstract}}"),
        ] {
            let parsed = Template::new(template)?;
            assert_eq!(paper.text(&parsed, "<s>"), text);
            assert_eq!(parsed.to_string(), template);
        }
        assert_eq!(Template::default().to_string(), "{title}{sep}{abstract}");
        assert!(Template::new("{Title}").is_err_and(|error| error.code() == "invalid-option"));
        Ok(())
    }

    #[test]
    fn a_paper_of_nothing_is_refused() {
        assert!(Document::paper(None, None).is_err_and(|error| error.code() == "invalid-input"));
    }
}
