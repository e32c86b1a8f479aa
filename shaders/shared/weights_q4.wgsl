// q4 weights in tiles of 4 outputs × 4 inputs; a tile is 2 words, two outputs a word, 4 quants of 4 bits an output.
// Scales are f16, 4 outputs to a pair of words, for each group of 32 inputs.
// weights: (N / 4, K / 4), scales: (N / 4, K / 32)

@group(0) @binding(2) var<storage, read> weights: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read> scales: array<vec2<u32>>;

fn group_scales(group: u32) -> vec4<f32> {
    let pair = scales[group];
    return vec4<f32>(unpack2x16float(pair.x), unpack2x16float(pair.y)) * LEVEL_UNIT;
}

// Column n of the result holds 4 inputs of output n.
fn weight_tile(tile: u32, scale: vec4<f32>) -> mat4x4<f32> {
    let words = weights[tile];
    return mat4x4<f32>(
        four_levels(words.x) * scale.x,
        four_levels(words.x >> 16) * scale.y,
        four_levels(words.y) * scale.z,
        four_levels(words.y >> 16) * scale.w,
    );
}
