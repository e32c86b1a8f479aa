//! Every WGSL kernel against its twin of the scalar reference, on shapes that nobody would choose: one row, odd rows,
//! one document, many short ones, one of 512 tokens. Activation buffers hold NaN before each run, so that a kernel
//! that leaves something out, or reads what it did not write, is seen.

#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod network;
mod operations;
mod random;
