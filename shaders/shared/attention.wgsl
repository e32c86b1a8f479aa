// What every kernel of attention is told, and the operands: (rows, query_stride) and (T, kv_stride), in vectors of four.

struct AttentionParams {
    rows: u32,
    heads: u32,
    query_stride: u32,
    query_offset: u32,
    kv_stride: u32,
    key_offset: u32,
    value_offset: u32,
    scale: f32,
    // Where attention sees relative positions: the place of distance 0 in position_rows.
    here: u32,
    // And how many rows of positions a head has.
    position_count: u32,
}

@group(0) @binding(0) var<uniform> params: AttentionParams;
@group(0) @binding(1) var<storage, read> queries: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> keys_values: array<vec4<f32>>;
// Where each document starts, and where the last one ends: (D + 1)
@group(0) @binding(4) var<storage, read> starts: array<u32>;
