//! What a training checkpoint says of the encoder in it, beside its weights: the settings of DPR and of SciMult
//! (`encoder_params`).

use super::pooling::{Pooling, PoolingDefaults};
use crate::error::{Error, Result};
use crate::folder::File;
use crate::weights::{Checkpoint, Parameter};

/// What the encoder does after its last layer, where the file is a training checkpoint that says so. Settings by which an
/// encoder does more than is run are refused.
pub fn pooling<F: File>(checkpoint: &Checkpoint<F>) -> Result<Option<PoolingDefaults>> {
    let is_set = |name: &str| match checkpoint.parameter(name) {
        None | Some(Parameter::None | Parameter::Bool(false) | Parameter::Int(0)) => false,
        Some(Parameter::Text(text)) => !text.is_empty(),
        Some(_) => true,
    };
    for (name, meaning) in [
        ("use_infer_expert", "which experts a text meets is found by a network"),
        ("factor_rep", "vectors have several parts"),
        ("projection_dim", "vectors are projected to another width"),
        ("q_rep_method", "vectors are made of other rows than one"),
    ] {
        let is_usual = matches!(checkpoint.parameter(name), Some(Parameter::Text(text)) if text == "cls");
        if is_set(name) && !is_usual {
            return Err(Error::unsupported(format!(
                "{} was trained with {name}: {meaning}, which this version does not run",
                checkpoint.name()
            )));
        }
    }
    Ok(match checkpoint.parameter("mean_pool") {
        None => None,
        // Those are normalized, too.
        Some(_) if is_set("mean_pool") => Some(PoolingDefaults { pooling: Pooling::Mean, normalize: true }),
        Some(_) => Some(PoolingDefaults { pooling: Pooling::Cls, normalize: false }),
    })
}
