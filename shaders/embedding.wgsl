// LN(word[id] + position[p]), where position embeddings have token type 0 added already.
// tokens: (T), positions: (positions, H / 4), output: (T, H / 4)

struct EmbeddingParams {
    hidden: u32,
    epsilon: f32,
}

@group(0) @binding(0) var<uniform> params: EmbeddingParams;
@group(0) @binding(1) var<storage, read> tokens: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read> positions: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> norm_weight: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> norm_bias: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> output: array<vec4<f32>>;

fn input_value(row: u32, column: u32) -> vec4<f32> {
    let token = tokens[row];
    let columns = params.hidden / 4;
    return table_value(token.x * columns + column) + positions[token.y * columns + column];
}

fn finish(row: u32, column: u32, y: vec4<f32>) -> vec4<f32> {
    return y;
}
