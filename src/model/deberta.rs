//! DeBERTa-v2 (He et al. 2021, arXiv 2006.03654): attention sees how far tokens are apart, by projections of relative
//! positions that are multiplied with the projections of contents.
//!
//! Module names and formulas are those of transformers' `modeling_deberta_v2.py`.

use serde::Deserialize;

use super::config::{MAX_POSITIONS, activation};
use super::network::{
    Attention, Convolution, Embeddings, Extent, Network, PerExpert, dense, embeddings, layer, norm, pooler,
};
use super::{Activation, Config, Dense, Layout, MatrixSpec, VectorSpec, bert};
use crate::error::{Error, Result};
use crate::weights::{Precision, TensorSpec};

/// The longest distance of relative positions that have rows of their own.
const MAX_SPAN: usize = 4096;

/// How far the rows of neighbouring distances may lie apart.
const MAX_STEP: u32 = specter_web_kernels::positions::STEP as u32;

/// The most tokens that a convolution sees at once.
const MAX_TAPS: usize = 15;

/// How attention sees relative positions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the published configuration has them")]
pub struct RelativeAttention {
    /// Distances from `-span` to before `span` have rows of their own; what is beyond has those of the ends.
    pub span: usize,
    /// Distances up to half of this many have rows of their own, and longer ones share rows by their logarithm.
    pub buckets: Option<usize>,
    /// The distance that the logarithm ends at, and one more.
    pub longest: usize,
    /// Whether queries are multiplied with positions: `c2p`.
    pub content_to_position: bool,
    /// Whether positions are multiplied with keys: `p2c`.
    pub position_to_content: bool,
    /// Whether positions are projected as contents are, or by layers of their own.
    pub shared: bool,
    /// Whether the table is normalized before.
    pub normalized: bool,
}

impl RelativeAttention {
    /// Scores are divided by the root of so many times the head size.
    #[must_use]
    pub fn terms(&self) -> usize {
        1 + usize::from(self.content_to_position) + usize::from(self.position_to_content)
    }

    /// Row of the table for each distance `query - key` from `1 - length` to `length - 1`:
    /// `make_log_bucket_position`.
    #[must_use]
    pub fn rows(&self, length: usize) -> Vec<u32> {
        let behind = (1..length).rev().map(|distance| self.span.saturating_sub(self.bucket(distance)));
        let ahead = (0..length).map(|distance| (self.span + self.bucket(distance)).min(2 * self.span - 1));
        behind.chain(ahead).map(|row| row as u32).collect()
    }

    #[expect(clippy::cast_sign_loss, reason = "below zero is zero")]
    fn bucket(&self, distance: usize) -> usize {
        let middle = self.buckets.map_or(usize::MAX, |buckets| buckets / 2);
        if distance <= middle {
            return distance;
        }
        // In f32 as there, because it is rounded up to whole numbers.
        let logarithm = |distance: f64| libm::logf((distance / middle as f64) as f32);
        let ratio = logarithm(distance as f64) / logarithm(self.longest as f64 - 1.0);
        // What is beyond the table is cut off anyway.
        let steps = libm::ceilf(ratio * (middle as f32 - 1.0)).min(2.0 * self.span as f32);
        steps as usize + middle
    }
}

/// A convolution over the tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvolutionConfig {
    /// How many tokens it sees at once; odd.
    pub taps: usize,
    /// Of its outputs.
    pub activation: Activation,
}

/// Keys of `config.json` that only DeBERTa has; the defaults are those of transformers' `DebertaV2Config`.
#[derive(Debug, Deserialize)]
pub(super) struct DebertaFile {
    relative_attention: Option<bool>,
    max_relative_positions: Option<i64>,
    position_buckets: Option<i64>,
    pos_att_type: Option<PositionTerms>,
    share_att_key: Option<bool>,
    norm_rel_ebd: Option<String>,
    position_biased_input: Option<bool>,
    attention_head_size: Option<usize>,
    embedding_size: Option<usize>,
    conv_kernel_size: Option<usize>,
    conv_groups: Option<usize>,
    conv_act: Option<String>,
    pooler_hidden_act: Option<String>,
    pooler_hidden_size: Option<usize>,
}

/// `pos_att_type`, written as `"p2c|c2p"` or as a list.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum PositionTerms {
    Joined(String),
    List(Vec<String>),
}

impl DebertaFile {
    /// Whether there are embeddings of positions besides.
    pub(super) fn absolute_positions(&self) -> bool {
        self.position_biased_input.unwrap_or(true)
    }

    /// How attention sees relative positions, for sequences of so many tokens at most.
    pub(super) fn relative_attention(&self, positions: usize) -> Result<Option<RelativeAttention>> {
        let terms: Vec<String> = match &self.pos_att_type {
            None => Vec::new(),
            Some(PositionTerms::Joined(terms)) => {
                terms.to_lowercase().split('|').map(|term| term.trim().to_owned()).collect()
            }
            Some(PositionTerms::List(terms)) => terms.clone(),
        };
        if let Some(unknown) = terms.iter().find(|term| !["c2p", "p2c", ""].contains(&term.as_str())) {
            let problem = format!("pos_att_type has {unknown:?}; \"c2p\" and \"p2c\" are run");
            return Err(Error::unsupported(problem));
        }
        let has = |term: &str| terms.iter().any(|found| found == term);
        let (content_to_position, position_to_content) = (has("c2p"), has("p2c"));
        let sees_any = content_to_position || position_to_content;
        if self.relative_attention != Some(true) {
            if sees_any {
                return Err(Error::unsupported("it has a pos_att_type, but relative_attention is not true"));
            }
            return Ok(None);
        }
        if !sees_any {
            return Ok(None);
        }
        let positive =
            |number: Option<i64>| number.and_then(|number| usize::try_from(number).ok()).filter(|&n| n > 0);
        let longest = positive(self.max_relative_positions).unwrap_or(positions);
        let buckets = positive(self.position_buckets);
        let span = buckets.unwrap_or(longest);
        if span > MAX_SPAN || longest > MAX_POSITIONS {
            return Err(Error::unsupported(format!(
                "its relative positions reach {span} tokens far, of {longest}; up to {MAX_SPAN} of {MAX_POSITIONS} are run"
            )));
        }
        let norms = self.norm_rel_ebd.as_deref().unwrap_or("none").to_lowercase();
        let relative = RelativeAttention {
            span,
            buckets,
            longest,
            content_to_position,
            position_to_content,
            shared: self.share_att_key == Some(true),
            normalized: norms.split('|').any(|norm| norm.trim() == "layer_norm"),
        };
        // Kernels take it that the rows of neighbouring distances are near each other.
        let rows = relative.rows(positions.min(MAX_POSITIONS));
        if buckets.is_some_and(|buckets| buckets < 4 || longest < buckets / 2 + 2)
            || rows.iter().zip(rows.iter().skip(1)).any(|(row, next)| !(*row..=row + MAX_STEP).contains(next))
        {
            return Err(Error::unsupported(format!(
                "position_buckets is {span} for distances up to {longest}, so that most rows are left out; as many as \
                 distances and fewer are run"
            )));
        }
        Ok(Some(relative))
    }

    /// Of the context pooler's outputs.
    pub(super) fn pooler_activation(&self) -> Result<Activation> {
        activation("pooler_hidden_act", self.pooler_hidden_act.as_deref(), Activation::Gelu)
    }

    /// The convolution beside the first layer.
    pub(super) fn convolution(&self) -> Result<Option<ConvolutionConfig>> {
        let taps = self.conv_kernel_size.unwrap_or(0);
        if taps == 0 {
            return Ok(None);
        }
        if taps.is_multiple_of(2) || taps > MAX_TAPS {
            let problem = format!("conv_kernel_size is {taps}; odd ones up to {MAX_TAPS} are run");
            return Err(Error::unsupported(problem));
        }
        match self.conv_groups {
            None | Some(1) => {}
            Some(groups) => {
                return Err(Error::unsupported(format!("conv_groups is {groups}; only 1 is run")));
            }
        }
        let activation = activation("conv_act", self.conv_act.as_deref(), Activation::Tanh)?;
        Ok(Some(ConvolutionConfig { taps, activation }))
    }

    /// Sizes that could differ from the others, and do in no published model.
    pub(super) fn check_sizes(&self, config: &Config) -> Result<()> {
        for (name, found, needed) in [
            ("attention_head_size", self.attention_head_size, config.head_size()),
            ("embedding_size", self.embedding_size, config.hidden_size),
            ("pooler_hidden_size", self.pooler_hidden_size, config.hidden_size),
        ] {
            if let Some(found) = found.filter(|&found| found != needed) {
                return Err(Error::unsupported(format!("{name} is {found}; only {needed} is run here")));
            }
        }
        Ok(())
    }
}

/// The network as a description of what each of its weights is made of.
pub(super) fn describe(config: &Config, extent: &Extent) -> Network<MatrixSpec, VectorSpec> {
    let attention = |index: usize| {
        let projections = ["query", "key", "value"].map(|part| format!("attention.self.{part}_proj"));
        let block = bert::block(config, index, projections, "attention.output.dense");
        let positions = config.relative.as_ref().and_then(|relative| positions(config, index, relative));
        PerExpert::shared(Attention { positions, ..block })
    };
    Network {
        embeddings: embeddings(config),
        relative: config.relative.as_ref().map(|relative| table(config, relative)),
        layers: (0..config.layers).map(|index| layer(config, index, attention(index))).collect(),
        convolution: config.convolution.as_ref().map(|convolution| self::convolution(config, *convolution)),
        pooler: pooler(config, extent),
    }
}

/// Projections that only positions have.
fn positions(
    config: &Config,
    layer: usize,
    relative: &RelativeAttention,
) -> Option<Dense<MatrixSpec, VectorSpec>> {
    let projections =
        [("pos_query_proj", relative.position_to_content), ("pos_key_proj", relative.content_to_position)];
    let projections: Vec<(String, Precision)> = projections
        .into_iter()
        .filter(|&(_, is_there)| is_there && !relative.shared)
        .map(|(module, _)| (format!("encoder.layer.{layer}.attention.self.{module}"), Precision::Low))
        .collect();
    (!projections.is_empty()).then(|| dense(&projections, [config.hidden_size; 2]))
}

/// The table of relative positions.
fn table(config: &Config, relative: &RelativeAttention) -> Embeddings<MatrixSpec, VectorSpec> {
    let (rows, columns) = (2 * relative.span, config.hidden_size);
    Embeddings {
        word: MatrixSpec {
            rows,
            columns,
            parts: vec![TensorSpec::new("encoder.rel_embeddings.weight", [rows, columns])],
            layout: Layout::Table,
            added_row: None,
        },
        position: None,
        norm: relative.normalized.then(|| norm("encoder.LayerNorm", config)),
    }
}

fn convolution(config: &Config, convolution: ConvolutionConfig) -> Convolution<MatrixSpec, VectorSpec> {
    let (hidden, taps) = (config.hidden_size, convolution.taps);
    let mut dense = dense(&[("encoder.conv.conv".to_owned(), Precision::High)], [hidden, hidden * taps]);
    for part in &mut dense.weight.parts {
        part.shape = vec![hidden, hidden, taps];
    }
    Convolution { dense, norm: norm("encoder.conv.LayerNorm", config) }
}

#[cfg(test)]
mod tests {
    use super::RelativeAttention;

    fn relative(buckets: Option<usize>) -> RelativeAttention {
        RelativeAttention {
            span: 256,
            buckets,
            longest: 512,
            content_to_position: true,
            position_to_content: true,
            shared: true,
            normalized: true,
        }
    }

    #[test]
    fn distances_share_rows_by_their_logarithm() {
        let rows = relative(Some(256)).rows(512);
        let row = |distance: isize| rows.get(511_usize.saturating_add_signed(distance)).copied();
        for (distance, expected) in [(0, 256), (1, 257), (-1, 255), (127, 383), (128, 384), (-128, 128)] {
            assert_eq!(row(distance), Some(expected), "{distance}");
        }
        // Of transformers 4.57: make_log_bucket_position(d, 256, 512) + 256, clamped.
        for (distance, expected) in [(129, 385), (130, 386), (300, 463), (-300, 49), (510, 511), (511, 511)] {
            assert_eq!(row(distance), Some(expected), "{distance}");
        }
    }

    #[test]
    fn a_logarithm_of_nothing_ends_at_the_table() {
        for longest in [128, 129, 130] {
            let relative = RelativeAttention { longest, ..relative(Some(256)) };
            assert!(relative.rows(512).iter().all(|&row| row < 512), "{longest}");
        }
    }

    #[test]
    fn without_buckets_far_distances_have_the_rows_at_the_ends() {
        let rows = relative(None).rows(512);
        assert_eq!((rows.first(), rows.last()), (Some(&0), Some(&511)));
        assert_eq!(rows.get(511), Some(&256));
    }
}
