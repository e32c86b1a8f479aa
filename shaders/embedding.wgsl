// LN(word[id] + position[p]), as far as there are positions and a normalization; position embeddings have token type 0
// added already. A table that is larger than a binding comes in parts, each with a dispatch that sees to its own words.
// tokens: (T), table: (words, H), positions: (positions, H / 4), output: (T, H / 4)

struct EmbeddingParams {
    hidden: u32,
    epsilon: f32,
    // The first word of the part, and how many it has.
    first_word: u32,
    words: u32,
}

override HAS_POSITIONS: bool = true;
override HAS_NORM: bool = true;

@group(0) @binding(0) var<uniform> params: EmbeddingParams;
@group(0) @binding(1) var<storage, read> tokens: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read> positions: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> norm_weight: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> norm_bias: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> output: array<vec4<f32>>;

fn input_value(row: u32, column: u32) -> vec4<f32> {
    let token = tokens[row];
    let columns = params.hidden / 4;
    let word = min(token.x - params.first_word, params.words - 1);
    var value = table_value(word * columns + column);
    if HAS_POSITIONS {
        value += positions[token.y * columns + column];
    }
    return value;
}

fn is_stored(row: u32) -> bool {
    return tokens[row].x - params.first_word < params.words;
}

fn finish(row: u32, column: u32, y: vec4<f32>) -> vec4<f32> {
    if HAS_NORM {
        return y;
    }
    return input_value(row, column);
}
