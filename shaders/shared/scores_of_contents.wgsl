// The score of a query and a key: Q Kᵀ · scale.

@group(0) @binding(5) var<storage, read_write> output: array<vec4<f32>>;

fn position_of(query_token: u32, key_token: u32, head: u32) -> u32 {
    return 0;
}

// A part of the score of a query, which is scaled, and a key.
fn score_part(query: vec4<f32>, key: vec4<f32>, position: u32) -> f32 {
    return dot(query, key);
}
