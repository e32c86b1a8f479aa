//! The ways through a model: which weights documents meet, and what becomes of their token vectors.
//!
//! A task is a way with a name. SPECTER2 has an adapter for each of its tasks, SciMult a set of experts; whoever asks for
//! a task need not know.

use super::specter::Specter;
use crate::engine::Backend;
use crate::error::{Error, Result};
use crate::model::Pooling;
use crate::text::Template;

/// What a task means; what it does not say is as for the model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Task {
    /// The name of a loaded adapter.
    pub adapter: Option<String>,
    /// The number of a set of experts.
    pub experts: Option<usize>,
    /// How a paper becomes a text.
    pub template: Option<Template>,
    /// Which token rows make a document's vector.
    pub pooling: Option<Pooling>,
    /// Whether vectors are scaled to length 1.
    pub normalize: Option<bool>,
}

/// How vectors are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// The name of the adapter, where there is one.
    pub adapter: Option<String>,
    /// The number of the set of experts, where there are any.
    pub experts: Option<usize>,
    /// How a paper becomes a text.
    pub template: Template,
    /// Which token rows make a document's vector.
    pub pooling: Pooling,
    /// Whether it is scaled to length 1.
    pub normalize: bool,
}

/// The names of three sets of experts, where a model's files do not say them: those of SciMult's `eval_helper.py`.
const THREE_EXPERTS: [&str; 3] = ["search", "link-prediction", "classification"];

/// The names of a model's sets of experts, as its `config.json` says them.
pub fn names_of_experts(said: Option<&[String]>, experts: usize) -> Result<Vec<String>> {
    match said {
        Some(names)
            if names
                .iter()
                .enumerate()
                .any(|(at, name)| name.is_empty() || names.iter().take(at).any(|other| other == name)) =>
        {
            Err(Error::unsupported(format!(
                "config.json names its sets of experts {}, of which two are equal or one is empty",
                names.join(", ")
            )))
        }
        Some(names) if names.len() == experts => Ok(names.to_vec()),
        Some(names) => Err(Error::unsupported(format!(
            "config.json names {} sets of experts ({}), and the weights have {experts}",
            names.len(),
            names.join(", ")
        ))),
        None if experts == THREE_EXPERTS.len() => Ok(THREE_EXPERTS.map(str::to_owned).to_vec()),
        None if experts == 0 => Ok(Vec::new()),
        None => Err(Error::unsupported(format!(
            "its weights have {experts} sets of experts without names; write them into config.json in their order, as \
             \"experts\": [\"search\", …]"
        ))),
    }
}

/// The names of a model's sets of experts as far as there are any: whoever loads it can give them others.
pub fn known_experts(said: Option<&[String]>, experts: usize) -> Result<Vec<String>> {
    let names = names_of_experts(said, experts);
    if said.is_none() { Ok(names.unwrap_or_default()) } else { names }
}

impl<B: Backend> Specter<B> {
    /// The tasks that the model knows, by name. The adapter of one need not be loaded.
    pub fn tasks(&self) -> impl Iterator<Item = (&str, &Task)> {
        self.tasks.iter().map(|(name, task)| (name.as_str(), task))
    }

    /// How the vectors of a task are made, or else with an adapter, or as the model makes them by itself.
    pub fn way(&self, task: Option<&str>, adapter: Option<&str>) -> Result<Way> {
        let invalid = |problem: String| Err(Error::InvalidOption { problem });
        let task = match (task, adapter) {
            (Some(task), Some(adapter)) => {
                return invalid(format!(
                    "both the task {task:?} and the adapter {adapter:?} are given; a task says which adapter it goes through"
                ));
            }
            (Some(name), None) => self.tasks.get(name).cloned().ok_or_else(|| self.unknown_task(name))?,
            (None, adapter) => Task { adapter: adapter.map(str::to_owned), ..Task::default() },
        };
        self.check_adapter(task.adapter.as_deref())?;
        if task.experts.is_none() && self.encoder.extent.experts > 0 {
            let names: Vec<&str> = self.tasks().map(|(name, _)| name).collect();
            return invalid(format!(
                "this model has weights of its own for each task, and no task is given; name one of {}",
                names.join(", ")
            ));
        }
        let plain = self.plain_way(task.experts);
        Ok(Way {
            adapter: task.adapter,
            template: task.template.unwrap_or(plain.template),
            pooling: task.pooling.unwrap_or(plain.pooling),
            normalize: task.normalize.unwrap_or(plain.normalize),
            ..plain
        })
    }

    /// The way that the model says itself, by some experts, where it has any.
    pub(super) fn plain_way(&self, experts: Option<usize>) -> Way {
        Way {
            adapter: None,
            experts,
            template: self.template().clone(),
            pooling: self.defaults().pooling,
            normalize: self.defaults().normalize,
        }
    }

    /// Whether the model, or a task, makes texts of papers so.
    pub(super) fn knows_template(&self, template: &Template) -> bool {
        template == self.template() || self.tasks().any(|(_, task)| task.template.as_ref() == Some(template))
    }

    fn unknown_task(&self, name: &str) -> Error {
        Error::UnknownTask {
            name: name.to_owned(),
            known: self.tasks().map(|(name, _)| name.to_owned()).collect(),
        }
    }
}
