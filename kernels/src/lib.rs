//! What runs on a CPU. To the engine this is a device like a GPU: it has a memory of its own, which the engine fills
//! and in which it says where everything lies; the engine records [`Command`]s, and all of a batch are executed at once.
//!
//! In a browser this crate is a WebAssembly module of its own ([`module`]), small enough that there is one for each
//! kind of browser: with the integer dot products of relaxed SIMD or without, with a memory that threads share or
//! without. Natively the same kernels are called as functions.
//!
//! * [`memory`]: addresses become slices.
//! * [`command`]: what a kernel is told, and [`crew`]: how threads share the work of a list of commands.
//! * [`simd`]: eight numbers at a time, on every kind of processor.
//! * [`math`]: exponentials and activation functions of eight numbers.
//! * [`linear`], [`quantize`], [`attention`], [`layer_norm`], [`embedding`], [`gate`], [`pool`], [`top_k`],
//!   [`neighbours`]: the kernels, and [`positions`], which attention may see. Their twins in plain loops are the engine's
//!   reference.

#![cfg_attr(target_arch = "wasm32", no_std)]
#![expect(
    clippy::inline_always,
    reason = "vector instructions are only used where all inlines to who has them"
)]
#![expect(
    clippy::indexing_slicing,
    reason = "a kernel whose parameters reach beyond its slices must stop there"
)]

pub mod attention;
pub mod command;
pub mod crew;
pub mod embedding;
pub mod gate;
pub mod layer_norm;
pub mod linear;
pub mod math;
pub mod memory;
#[cfg(all(target_arch = "wasm32", feature = "module"))]
pub mod module;
#[cfg(not(target_arch = "wasm32"))]
pub mod native;
pub mod neighbours;
pub mod pool;
pub mod positions;
pub mod quantize;
pub mod simd;
pub mod top_k;

pub use command::Command;
pub use memory::{Address, Memory};
#[cfg(not(target_arch = "wasm32"))]
pub use native::Native;
pub use simd::{Arithmetic, Simd};
