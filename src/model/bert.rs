//! BERT (Devlin et al. 2019, arXiv 1810.04805), an encoder with normalization after each block, and BERT with experts in
//! some of its attention blocks (SciMult, Zhang et al. 2023, arXiv 2305.14232).
//!
//! Module names are those of transformers' `modeling_bert.py` and SciMult's `moe_models.py`. Query, key and value are one
//! matrix here, because they are multiplied with the same rows.

use super::network::{
    Attention, Extent, Network, PerExpert, dense, embeddings, layer, pooler, precision_after_attention,
};
use super::{Config, MatrixSpec, VectorSpec};
use crate::weights::Precision;

/// The network as a description of what each of its weights is made of.
pub(super) fn describe(config: &Config, extent: &Extent) -> Network<MatrixSpec, VectorSpec> {
    Network {
        embeddings: embeddings(config),
        relative: None,
        layers: (0..config.layers)
            .map(|index| layer(config, index, attention(config, index, extent)))
            .collect(),
        convolution: None,
        pooler: pooler(config, extent),
    }
}

fn attention(config: &Config, layer: usize, extent: &Extent) -> PerExpert<Attention<MatrixSpec, VectorSpec>> {
    if extent.expert_layers.contains(&layer) {
        let of = |expert: usize| {
            let projection = |part: &str| format!("attention.self.{EXPERT}{part}.{expert}");
            let output = format!("attention.output.{EXPERT}dense.{expert}");
            block(config, layer, ["query", "key", "value"].map(projection), &output)
        };
        PerExpert::of_each(extent.experts, of)
    } else {
        let projection = |part: &str| format!("attention.self.{part}");
        let projections = ["query", "key", "value"].map(projection);
        PerExpert::shared(block(config, layer, projections, "attention.output.dense"))
    }
}

/// An attention block whose dense layers have these names within their layer.
pub(super) fn block(
    config: &Config,
    layer: usize,
    projections: [String; 3],
    output: &str,
) -> Attention<MatrixSpec, VectorSpec> {
    let square = [config.hidden_size; 2];
    let name = |module: &str| format!("encoder.layer.{layer}.{module}");
    let [query, key, value] = projections.map(|module| name(&module));
    Attention {
        // Rounding of values goes straight into the vectors.
        query_key_value: dense(
            &[(query, Precision::Low), (key, Precision::Low), (value, Precision::High)],
            square,
        ),
        positions: None,
        output: dense(&[(name(output), precision_after_attention(config, layer))], square),
    }
}

/// What the names of experts' modules begin with.
const EXPERT: &str = "moe_";

/// The layer and the number of the expert that a tensor belongs to.
pub(super) fn expert_of(tensor: &str) -> Option<(usize, usize)> {
    let (layer, module) = tensor.strip_prefix("encoder.layer.")?.split_once('.')?;
    let module =
        module.strip_prefix("attention.self.").or_else(|| module.strip_prefix("attention.output."))?;
    let (_, expert) = module.strip_prefix(EXPERT)?.split_once('.')?;
    let (expert, _) = expert.split_once('.')?;
    Some((layer.parse().ok()?, expert.parse().ok()?))
}

/// Whether a tensor belongs to experts in another place than attention, or to what chooses among experts.
pub(super) fn has_other_experts(tensor: &str) -> bool {
    tensor.contains(".moe_") || tensor.contains("expert_gate")
}

#[cfg(test)]
mod tests {
    use super::{expert_of, has_other_experts};

    #[test]
    fn an_expert_is_known_by_its_name() {
        assert_eq!(expert_of("encoder.layer.11.attention.self.moe_query.2.weight"), Some((11, 2)));
        assert_eq!(expert_of("encoder.layer.1.attention.output.moe_dense.0.bias"), Some((1, 0)));
        assert_eq!(expert_of("encoder.layer.1.attention.self.query.weight"), None);
        let elsewhere = "encoder.layer.1.moe_layer.interm_layers.0.dense.weight";
        assert_eq!((expert_of(elsewhere), has_other_experts(elsewhere)), (None, true));
    }
}
