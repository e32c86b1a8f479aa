//! JSON lines in, JSON lines out, in order, while they come.

use std::io::{BufRead, StdoutLock, Write};
use std::sync::mpsc;

use anyhow::{Context, bail};
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use specter_web::text::Document;

/// How many lines are answered at a time when they come faster than they can be.
const LINES: usize = 256;

#[derive(Args)]
pub(crate) struct Lines {
    /// Report lines that cannot be used and go on.
    #[arg(long)]
    skip_invalid: bool,
}

/// One line of input. Unknown keys are allowed, so that records can be piped as they are.
#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    id: Value,
    text: Option<String>,
    title: Option<String>,
    r#abstract: Option<String>,
}

impl Line {
    fn parse(line: &[u8]) -> anyhow::Result<(Value, Document)> {
        let Self { id, text, title, r#abstract } = serde_json::from_slice(line)?;
        let document = match (text, &title, &r#abstract) {
            (Some(text), None, None) => Document::Text(text),
            (Some(_), _, _) => bail!("it has both a text and a title or abstract"),
            (None, _, _) => Document::paper(title, r#abstract)?,
        };
        Ok((id, document))
    }
}

/// One line of output: the line's id, and what was made of it.
#[derive(Serialize)]
struct Answer<T> {
    id: Value,
    #[serde(flatten)]
    answer: T,
}

/// Where answers go, one for each document that was asked about.
pub(crate) struct Answers<'a> {
    out: &'a mut StdoutLock<'static>,
    ids: std::vec::IntoIter<Value>,
}

impl Answers<'_> {
    /// Writes the answer to the next document.
    pub(crate) fn write(&mut self, answer: impl Serialize) -> anyhow::Result<()> {
        let id = self.ids.next().unwrap_or_default();
        serde_json::to_writer(&mut *self.out, &Answer { id, answer })?;
        Ok(writeln!(self.out)?)
    }
}

impl Lines {
    /// Waits for one line and takes all that have come in the meantime: a full pipe is worked off in large batches, and a
    /// person who types sees an answer after each line.
    pub(crate) async fn answer(
        &self,
        mut ask: impl AsyncFnMut(&[Document], Answers<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let lines = read_lines();
        let mut out = std::io::stdout().lock();
        let mut number = 0;
        while let Ok(first) = lines.recv() {
            let mut ids = Vec::new();
            let mut documents = Vec::new();
            let mut bad_line = None;
            for line in std::iter::once(first).chain(lines.try_iter()).take(LINES) {
                number += 1;
                let line = line.context("standard input cannot be read")?;
                if line.trim_ascii().is_empty() {
                    continue;
                }
                match Line::parse(&line) {
                    Ok((id, document)) => {
                        ids.push(id);
                        documents.push(document);
                    }
                    Err(error) if self.skip_invalid => eprintln!("line {number} is skipped: {error}"),
                    Err(error) => {
                        bad_line = Some(error.context(format!("line {number} cannot be used")));
                        break;
                    }
                }
            }
            ask(&documents, Answers { out: &mut out, ids: ids.into_iter() }).await?;
            out.flush()?;
            if let Some(error) = bad_line {
                return Err(error);
            }
        }
        Ok(())
    }
}

/// Lines of standard input, read on a thread of their own, no more than two rounds ahead.
fn read_lines() -> mpsc::Receiver<std::io::Result<Vec<u8>>> {
    let (sender, receiver) = mpsc::sync_channel(2 * LINES);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().split(b'\n') {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}
