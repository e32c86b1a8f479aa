// The score of a query and a key: Q Kᵀ · scale.

struct AttentionParams {
    rows: u32,
    heads: u32,
    query_stride: u32,
    query_offset: u32,
    kv_stride: u32,
    key_offset: u32,
    value_offset: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: AttentionParams;
@group(0) @binding(1) var<storage, read> queries: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> keys_values: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> tokens: array<Token>;
// Where each document starts, and where the last one ends: (D + 1)
@group(0) @binding(4) var<storage, read> starts: array<u32>;
@group(0) @binding(5) var<storage, read_write> output: array<vec4<f32>>;

fn position_vector(query_token: u32, key_token: u32, head: u32) -> u32 {
    return 0;
}

// A part of the score of a query, which is scaled, and a key.
fn score_part(query: vec4<f32>, key: vec4<f32>, position_at: u32) -> f32 {
    return dot(query, key);
}
