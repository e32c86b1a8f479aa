// The score of a query and a key whose attention is disentangled: (Q Kᵀ + Q Pkᵀ + K Pqᵀ) · scale (He et al. 2021,
// arXiv 2006.03654), with the rows of P that belong to how far the tokens are apart.

// Where a pair of tokens' positions begin.
fn position_of(query_token: u32, key_token: u32, head: u32) -> u32 {
    return position_at(query_token + params.here - key_token, head);
}

// A part of the score of a query, which is scaled, and a key.
fn score_part(query: vec4<f32>, key: vec4<f32>, position: u32) -> f32 {
    return dot(query, key + positions[position]) + dot(key, positions[position + HEAD_VECTORS]);
}
