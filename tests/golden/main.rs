//! Vectors written by the authors' own libraries (`tests/fixtures/make.py`) against this engine, on the scalar
//! reference and on the GPU.

mod devices;
mod fixtures;
mod minilm;
mod tiny_bert;
