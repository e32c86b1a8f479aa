//! Which kernels of dense layers are the fastest here?
//!
//! Each multiplies by weights of the model's own shapes, and is compared with the reference.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{TOLERANCE, Tuning, pseudorandom, unless_lost};
use crate::engine::gpu::linear::{LinearKernel, Plan, Plans, RoundingKernels, RowClass};
use crate::engine::gpu::packing::Order;
use crate::engine::gpu::{Gpu, Matrix, Rows, Weights, product};
use crate::engine::{Backend, MatrixShape, Outputs, RowsOf};
use crate::error::{Error, Result};
use crate::model::{Activation, Dense, Layout};
use crate::text::Batch;
use crate::weights::{Block, Format};

/// What was found for matrices of one shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TunedLinear {
    /// `N`.
    pub outputs: usize,
    /// `K`.
    pub inputs: usize,
    /// Of the weights: `f32`, `f16`, `q8`, `q4`.
    pub dtype: Format,
    /// The kernels.
    #[serde(flatten)]
    pub plan: Plan,
}

/// What share of the fastest exact kernel's time one that rounds activations may take, to be worth the trouble; and where
/// it reads weights in another order, so that the fastest exact kernel could not be fallen back on.
const WORTH_ROUNDING: f64 = 0.8;
const WORTH_REORDERING: f64 = 0.5;

/// How many rows stand for few, for several, and for many: on a GPU enough to fill it, on a CPU as few as tell.
const FEW_ROWS: usize = 32;
const SEVERAL_ROWS: usize = 128;
const MANY_ROWS: usize = 512;
const MANY_SOFTWARE_ROWS: usize = 128;

/// Operations of one run, which cannot be interrupted. A matrix for which this is too few is not measured.
const LARGEST_RUN: u64 = 10_000_000_000;

/// Rows on which a kernel is tried that is not timed: more than it computes at once, and no whole number of that.
const TRIED_ROWS: usize = 72;

/// The largest difference to the reference, as a share of the largest answer, of a kernel that rounds: f16 operands leave
/// 1e-3, and int8 ones 1e-2.
const ROUNDING_TOLERANCE: f32 = 2e-2;

impl Gpu {
    /// The plan where nothing was measured.
    pub(in crate::engine::gpu) fn usual_plan(&self, format: Format) -> Plan {
        let features = self.device.features();
        let runs = |kernel: &LinearKernel| kernel.runs_on(features, format);
        if let Tuning::Pinned(kernel) = self.tuning {
            return Plan::all(Some(kernel).filter(runs).unwrap_or(LinearKernel::Registers));
        }
        if self.device.is_software() {
            let quads = Some(LinearKernel::Quads).filter(runs);
            return Plan::all(quads.unwrap_or(LinearKernel::Registers));
        }
        Plan { few: LinearKernel::Split, several: LinearKernel::SmallTiles, ..Plan::all(LinearKernel::Tiles) }
    }

    /// Decides on a plan for each shape.
    pub(super) async fn tune_linear(
        &mut self,
        shapes: &[MatrixShape],
        known: &[TunedLinear],
        end: f64,
    ) -> Result<()> {
        let known = known.iter().filter(|tuned| self.can_follow(tuned));
        let known = known.map(|&TunedLinear { outputs, inputs, dtype: format, plan }| {
            (MatrixShape { outputs, inputs, format }, plan)
        });
        let known: Plans = known.filter(|(shape, _)| shapes.contains(shape)).collect();
        let unknown: Vec<MatrixShape> =
            shapes.iter().copied().filter(|shape| !known.contains_key(shape)).collect();
        self.plans = self.measure_all(&unknown, end).await?;
        self.plans.extend(known);
        Ok(())
    }

    /// Whether an earlier run's finding can be followed on this device.
    fn can_follow(&self, tuned: &TunedLinear) -> bool {
        let Plan { few, several, many, .. } = tuned.plan;
        let exact = ![few, several, many].into_iter().any(LinearKernel::rounds);
        exact
            && tuned.plan.kernels().all(|kernel| {
                kernel.runs_on(self.device.features(), tuned.dtype) && kernel.order() == tuned.plan.order()
            })
    }

    /// What was decided.
    pub(super) fn tuned_linear(&self) -> Vec<TunedLinear> {
        let tuned = self.plans.iter().map(|(&MatrixShape { outputs, inputs, format }, &plan)| TunedLinear {
            outputs,
            inputs,
            dtype: format,
            plan,
        });
        tuned.collect()
    }

    async fn measure_all(&mut self, shapes: &[MatrixShape], end: f64) -> Result<Plans> {
        let software = self.device.is_software();
        let mut shapes = shapes.to_vec();
        // The dearest first, in case time runs out; on a CPU the cheapest, since the answer is the same.
        shapes.sort_by_key(|shape| shape.outputs * shape.inputs);
        if !software {
            shapes.reverse();
        }
        let mut plans = Plans::new();
        for &shape in &shapes {
            let known = plans.iter().find(|(other, _): &(&MatrixShape, _)| other.format == shape.format);
            let known = known.map(|(_, &plan)| plan).filter(|_| software || self.is_past(end));
            let plan = match known {
                Some(plan) if self.is_right(shape, plan).await? => plan,
                _ => self.measure(shape, end).await?,
            };
            plans.insert(shape, plan);
        }
        Ok(plans)
    }

    /// Whether the kernels of a plan multiply by matrices of a shape as the reference does.
    async fn is_right(&mut self, shape: MatrixShape, plan: Plan) -> Result<bool> {
        let probe = Probe::new(shape);
        for kernel in plan.kernels().collect::<BTreeSet<_>>() {
            if unless_lost(self.try_out(&probe, kernel, TRIED_ROWS).await)?.flatten().is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The fastest plan for a shape. All of its kernels read weights in the same order, which is that of the fastest one for
    /// many rows.
    async fn measure(&mut self, shape: MatrixShape, end: f64) -> Result<Plan> {
        self.device.check_size("a matrix", shape.format.value_bytes(shape.outputs, shape.inputs) as u64)?;
        let affordable = (LARGEST_RUN / product(&[2, shape.outputs, shape.inputs])) as usize;
        if affordable < FEW_ROWS {
            return Ok(self.usual_plan(shape.format));
        }
        let software = self.device.is_software();
        let many_rows = affordable.min(if software { MANY_SOFTWARE_ROWS } else { MANY_ROWS });
        let probe = Probe::new(shape);
        let many = self.measure_rows(&probe, RowClass::Many, many_rows, None, end).await?;
        let mut fewer = [many; 2];
        let classes = [(RowClass::Several, SEVERAL_ROWS.min(affordable)), (RowClass::Few, FEW_ROWS)];
        for (found, (class, rows)) in fewer.iter_mut().zip(classes) {
            // A CPU has no use for more workgroups.
            if !(software && many.exact.suits(class)) {
                *found = self.measure_rows(&probe, class, rows, Some(many.exact.order()), end).await?;
            }
        }
        let [several, few] = fewer;
        Ok(Plan {
            few: few.exact,
            several: several.exact,
            many: many.exact,
            rounding: RoundingKernels { several: several.rounding, many: many.rounding },
        })
    }

    /// The fastest exact kernel for so many rows, of those that read weights in an order where one is given, and one that
    /// rounds, where that is worth it.
    async fn measure_rows(
        &mut self,
        probe: &Probe,
        class: RowClass,
        rows: usize,
        order: Option<Order>,
        end: f64,
    ) -> Result<Found> {
        let (rounding, exact): (Vec<_>, Vec<_>) = self
            .candidates(class, probe.shape.format)
            .filter(|kernel| order.is_none_or(|order| kernel.order() == order))
            .partition(|kernel| kernel.rounds());
        if let (&[exact], []) = (exact.as_slice(), rounding.as_slice()) {
            return Ok(Found { exact, rounding: None });
        }
        let (exact_kernel, time) = self.fastest(probe, &exact, rows, end).await?;
        let mut found = Found { exact: exact_kernel, rounding: None };
        // On a CPU, finding out whether a model bears it takes longer than most visits would gain.
        if self.device.is_software() || self.is_past(end) {
            return Ok(found);
        }
        // Perhaps none is right here, or there is none.
        let fastest = unless_lost(self.fastest(probe, &rounding, rows, end).await)?;
        let Some((kernel, rounding_time)) = fastest else { return Ok(found) };
        // Without the fastest exact kernel, rounding has more to make up for.
        let same_order = kernel.order() == found.exact.order();
        let share = if same_order { WORTH_ROUNDING } else { WORTH_REORDERING };
        if rounding_time < share * time {
            if !same_order {
                let others: Vec<_> =
                    exact.into_iter().filter(|other| other.order() == kernel.order()).collect();
                let other = unless_lost(self.fastest(probe, &others, rows, end).await)?;
                let Some((other, _)) = other else { return Ok(found) };
                found.exact = other;
            }
            found.rounding = Some(kernel);
        }
        Ok(found)
    }

    /// The kernels that can be the fastest for so many rows, the usual one first, in case time runs out.
    fn candidates(&self, class: RowClass, format: Format) -> impl Iterator<Item = LinearKernel> {
        let features = self.device.features();
        let usual = self.usual_plan(format).plain(class);
        let can_be = move |kernel: &LinearKernel| {
            kernel.runs_on(features, format) && kernel.suits(class) && kernel.may_be_borne(format)
        };
        let others = LinearKernel::ALL.into_iter().filter(move |&kernel| kernel != usual);
        std::iter::once(usual).chain(others).filter(can_be)
    }

    /// The fastest of some kernels whose answer is right, and its time; of those that were tried when time ran out, and one
    /// at the least.
    async fn fastest(
        &mut self,
        probe: &Probe,
        kernels: &[LinearKernel],
        rows: usize,
        end: f64,
    ) -> Result<(LinearKernel, f64)> {
        let mut fastest: Option<(LinearKernel, f64)> = None;
        let mut refused = None;
        for &kernel in kernels {
            if fastest.is_some() && self.is_past(end) {
                break;
            }
            let to_beat = fastest.map_or(f64::INFINITY, |(_, time)| time);
            match self.time_kernel(probe, kernel, rows, to_beat, end).await {
                Ok(Some(time)) if time < to_beat => fastest = Some((kernel, time)),
                Ok(_) => {}
                Err(lost @ Error::DeviceLost { .. }) => return Err(lost),
                // A driver that refuses one kernel may take another.
                Err(error) => refused = Some(error),
            }
        }
        let MatrixShape { outputs, inputs, format } = probe.shape;
        fastest.ok_or_else(|| {
            let weights = format!("{outputs} × {inputs} {} weights", format.name());
            let wrong = || format!("no kernel multiplies by {weights} correctly on this device");
            refused.unwrap_or_else(|| Error::internal(wrong()))
        })
    }

    /// Milliseconds that a kernel takes for a number of rows, or nothing where its answer is wrong.
    async fn time_kernel(
        &mut self,
        probe: &Probe,
        kernel: LinearKernel,
        rows: usize,
        to_beat: f64,
        end: f64,
    ) -> Result<Option<f64>> {
        let Some(tried) = self.try_out(probe, kernel, rows).await? else { return Ok(None) };
        Ok(Some(self.time(&tried.batch, |gpu| tried.multiply(gpu), to_beat, end).await?))
    }

    /// Multiplies some rows by the probe's weights; with what, where the answer is right.
    async fn try_out(&mut self, probe: &Probe, kernel: LinearKernel, rows: usize) -> Result<Option<Tried>> {
        let MatrixShape { outputs, inputs, format } = probe.shape;
        self.plans.insert(probe.shape, Plan::all(kernel));
        let mut weight = self.matrix(&[(outputs, format)], inputs, Layout::Linear)?;
        for (row, block) in probe.blocks() {
            self.write_rows(&mut weight, row, block)?;
        }
        let dense = Dense { weight, bias: self.vector(&vec![0.0; outputs])? };
        let mut batch = Batch::new();
        batch.push(&vec![0; rows]);
        self.begin(&batch, 0)?;
        let input = self.arena.rows(&self.device, RowsOf::Tokens, inputs);
        self.device.queue.write_buffer(input.buffer(), 0, bytemuck::cast_slice(&probe.rows(rows)));
        let tried = Tried { batch, input, dense };
        let answer = self.answer(&tried.batch, |gpu| tried.multiply(gpu)).await?;
        Ok(probe.agrees(kernel, &answer).then_some(tried))
    }
}

/// What was found for so many rows.
#[derive(Clone, Copy)]
struct Found {
    exact: LinearKernel,
    /// In its place, where the model bears it.
    rounding: Option<LinearKernel>,
}

/// A kernel that can be timed: rows of activations on the device, and the layer that they meet.
struct Tried {
    batch: Batch,
    input: Rows,
    dense: Dense<Matrix, Weights>,
}

impl Tried {
    fn multiply(&self, gpu: &mut Gpu) -> Rows {
        gpu.linear(&self.input, &self.dense, Outputs::All, Activation::Identity, None)
    }
}

/// Rows of activations differ by a factor, so that one in the place of another is seen.
fn row_scale(row: usize) -> f32 {
    1.0 + (row % 5) as f32 / 8.0
}

/// What kernels are tried on: multiples of one row of activations, and a few tiles of 4 outputs in turns, never
/// twice in the same places of a kernel's own tile.
struct Probe {
    shape: MatrixShape,
    row: Vec<f32>,
    /// As many rows of weights as there are before they come again, and those of them that the last ones are.
    turn: Block,
    rest: Option<Block>,
    expected: Vec<f32>,
}

/// Rows of weights before they come again: 7 tiles, which is coprime to the tiles of a kernel, twice, since weights are written
/// by 8 rows.
const TURN: usize = 2 * 7 * 4;

impl Probe {
    fn new(shape: MatrixShape) -> Self {
        let MatrixShape { outputs, inputs, format } = shape;
        let row: Vec<f32> = (0..inputs).map(|index| pseudorandom(index * 7 + 3)).collect();
        let tiles: Vec<f32> = (0..TURN / 2 * inputs).map(pseudorandom).collect();
        let turn = [&tiles[..], &tiles[..]].concat();
        let rest = turn.get(..outputs % TURN * inputs).filter(|rest| !rest.is_empty());
        let rest = rest.map(|rest| Block::F32(rest.to_vec()).into_format(format));
        let turn = Block::F32(turn).into_format(format);
        let dot = |output: &[f32]| output.iter().zip(&row).map(|(w, x)| w * x).sum::<f32>();
        let answers: Vec<f32> = turn.to_f32().chunks(inputs).map(dot).collect();
        let expected = answers.into_iter().cycle().take(outputs).collect();
        Self { shape, row, turn, rest, expected }
    }

    /// The weights, and the first row of each part of them.
    fn blocks(&self) -> impl Iterator<Item = (usize, Block)> {
        let turns = self.shape.outputs / TURN;
        let rest = self.rest.iter().map(move |rest| (turns * TURN, rest.clone()));
        (0..turns).map(|turn| (turn * TURN, self.turn.clone())).chain(rest)
    }

    /// So many rows of activations.
    fn rows(&self, count: usize) -> Vec<f32> {
        (0..count).flat_map(|row| self.row.iter().map(move |x| x * row_scale(row))).collect()
    }

    /// Whether a kernel's answer is right.
    fn agrees(&self, kernel: LinearKernel, answer: &[f32]) -> bool {
        let largest = self.expected.iter().fold(1e-6_f32, |largest, value| largest.max(value.abs()));
        let tolerance = largest * if kernel.rounds() { ROUNDING_TOLERANCE } else { TOLERANCE };
        let expected = (0..).flat_map(|row| self.expected.iter().map(move |y| y * row_scale(row)));
        answer.iter().zip(expected).all(|(y, expected)| (y - expected).abs() <= 2.0 * tolerance)
    }
}
