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
    // The place of distance 0 in position_rows.
    here: u32,
    // How many rows of positions a head has.
    position_count: u32,
}

@group(0) @binding(0) var<uniform> params: AttentionPositionsParams;
@group(0) @binding(1) var<storage, read> queries: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> keys_values: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> tokens: array<Token>;
// Where each document starts, and where the last one ends: (D + 1)
@group(0) @binding(4) var<storage, read> starts: array<u32>;
// The row of each distance, query less key
@group(0) @binding(5) var<storage, read> position_rows: array<u32>;
// For each head and each row, Pk and then Pq · scale: (heads, position_count, 2 · HEAD_VECTORS)
@group(0) @binding(6) var<storage, read> positions: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> output: array<vec4<f32>>;

// Where a pair of tokens' positions begin.
fn position_vector(query_token: u32, key_token: u32, head: u32) -> u32 {
    let row = position_rows[query_token + params.here - key_token];
    return (head * params.position_count + row) * 2 * HEAD_VECTORS;
}

// A part of the score of a query, which is scaled, and a key.
fn score_part(query: vec4<f32>, key: vec4<f32>, position_at: u32) -> f32 {
    return dot(query, key + positions[position_at]) + dot(key, positions[position_at + HEAD_VECTORS]);
}
