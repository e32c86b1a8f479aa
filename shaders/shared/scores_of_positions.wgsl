// The score of a query and a key whose attention is disentangled: (Q Kᵀ + Q Pkᵀ + K Pqᵀ) · scale (He et al. 2021,
// arXiv 2006.03654), with the rows of P that belong to how far the tokens are apart.

struct AttentionPositionsParams {
    rows: u32,
    heads: u32,
    query_stride: u32,
    query_offset: u32,
    kv_stride: u32,
    key_offset: u32,
    value_offset: u32,
    scale: f32,
    // Distances from 1 - longest to longest - 1 have a place in position_rows.
    longest: u32,
    // Vectors of a row of positions.
    position_stride: u32,
}

@group(0) @binding(0) var<uniform> params: AttentionPositionsParams;
@group(0) @binding(1) var<storage, read> queries: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> keys_values: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> tokens: array<Token>;
// Where each document starts, and where the last one ends: (D + 1)
@group(0) @binding(4) var<storage, read> starts: array<u32>;
// The row of each distance, query less key: (2 · longest - 1)
@group(0) @binding(5) var<storage, read> position_rows: array<u32>;
// Pk, and behind each row Pq · scale: (2 · span, 2 · heads · HEAD_VECTORS)
@group(0) @binding(6) var<storage, read> positions: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> output: array<vec4<f32>>;

// Where the columns of a pair of tokens' positions begin.
fn position_vector(query_token: u32, key_token: u32, column: u32) -> u32 {
    let distance = query_token + params.longest - 1 - key_token;
    return position_rows[distance] * params.position_stride + column;
}

// A part of the score of a query, which is scaled, and a key.
fn score_part(query: vec4<f32>, key: vec4<f32>, position_at: u32) -> f32 {
    let position_query = positions[position_at + params.position_stride / 2];
    return dot(query, key + positions[position_at]) + dot(key, position_query);
}
