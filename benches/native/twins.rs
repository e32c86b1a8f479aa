//! How much longer another network takes than a BERT of the same size, on the GPU and on the CPU.
//!
//! The networks run in turns, so that a machine that slows down slows all of them. Of each the shortest time counts, since
//! what else the machine does can only lengthen it.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::Serialize;
use specter_web::engine::Backend;
use specter_web::engine::cpu::Cpu;
use specter_web::engine::gpu::{Gpu, GpuOptions, Tuning};
use specter_web::weights::Format;
use specter_web_kernels::Native;

use crate::Shape;
use crate::forward::Forward;
use crate::networks::Network;

/// A network at a shape.
#[derive(Serialize)]
pub(crate) struct Twin {
    pub(crate) device: String,
    pub(crate) model: &'static str,
    /// Documents × tokens.
    pub(crate) shape: String,
    pub(crate) rounds: usize,
    pub(crate) shortest_ms: f64,
    /// Of the BERT in turns with which it ran, likewise.
    pub(crate) bert_ms: f64,
    /// The first over the second.
    pub(crate) times_bert: f64,
}

/// Measures networks on the GPU and on one thread of the CPU, all in q8.
pub(crate) async fn measure(
    networks: &[Network],
    shapes: &[Shape],
    rounds: usize,
    mut take: impl FnMut(Twin),
) -> Result<()> {
    // By rule, so that all multiply by the same kernels, and differ in what is to be compared alone.
    let options = || GpuOptions { tuning: Tuning::Usual, ..GpuOptions::native() };
    measure_on(async || Ok(Gpu::new(options()).await?), networks, shapes, rounds, &mut take).await?;
    let cpu = async || Ok(Cpu::new(Native::new(None, 1).context("there is no such CPU")?));
    measure_on(cpu, networks, shapes, rounds, &mut take).await
}

async fn measure_on<B: Backend>(
    backend: impl AsyncFn() -> Result<B>,
    networks: &[Network],
    shapes: &[Shape],
    rounds: usize,
    take: &mut impl FnMut(Twin),
) -> Result<()> {
    let mut all = Vec::new();
    for &network in [&Network::Specter2Sized].into_iter().chain(networks) {
        all.push(Forward::load(network, &network.folder()?, Format::Q8, backend().await?).await?);
    }
    let device = backend().await?.device();
    for &shape in shapes {
        eprintln!("· running {}", shape.name());
        let mut shortest: BTreeMap<&str, f64> = BTreeMap::new();
        // What comes first makes buffers, and does not count.
        for round in 0..=rounds {
            for forward in &mut all {
                let batch = forward.batch(shape);
                let seconds = forward.run(&batch).await?;
                if round > 0 {
                    let ms = shortest.entry(forward.network.name()).or_insert(f64::INFINITY);
                    *ms = ms.min(seconds * 1e3);
                }
            }
        }
        let shortest_of = |network: Network| shortest.get(network.name()).copied().unwrap_or(f64::NAN);
        let bert_ms = shortest_of(Network::Specter2Sized);
        for &network in networks {
            let shortest_ms = shortest_of(network);
            take(Twin {
                device: device.adapter.clone(),
                model: network.name(),
                shape: shape.name(),
                rounds,
                shortest_ms,
                bert_ms,
                times_bert: shortest_ms / bert_ms,
            });
        }
    }
    Ok(())
}
