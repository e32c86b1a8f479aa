//! What a caller hands in: a paper, or a plain string.

use std::borrow::Cow;

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

    /// The string that the tokenizer sees.
    ///
    /// A paper is `title + separator + abstract`, with the empty string for a part that is missing; this is the
    /// formula of SPECTER2's model card. The separator is the tokenizer's own, `[SEP]` for BERT.
    #[must_use]
    pub fn text(&self, separator: &str) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Paper { title, r#abstract } => {
                let part = |part: &Option<String>| part.clone().unwrap_or_default();
                Cow::Owned(part(title) + separator + &part(r#abstract))
            }
        }
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
        assert_eq!(both.text("[SEP]"), "T[SEP]A");
        assert_eq!(title.text("[SEP]"), "T[SEP]");
        assert_eq!(r#abstract.text("[SEP]"), "[SEP]A");
        assert_eq!(Document::Text("x [SEP] y".into()).text("[SEP]"), "x [SEP] y");
        Ok(())
    }

    #[test]
    fn a_paper_of_nothing_is_refused() {
        assert!(Document::paper(None, None).is_err_and(|error| error.code() == "invalid-input"));
    }
}
