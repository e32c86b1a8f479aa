// q8 weights in tiles of 4 outputs × 4 inputs; a tile is 1 vector of 4 words, one an output, 4 int8 a word.
// Scales are f16, 4 outputs to a pair of words, for each group of 32 inputs.
// weights: (N / 4, K / 4), scales: (N / 4, K / 32)

@group(0) @binding(2) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> scales: array<vec2<u32>>;

// 127 times what is stored: quants are unpacked as fractions of 127, which takes the fewest instructions. There is no
// quant of -128.
fn group_scales(group: u32) -> vec4<f32> {
    let pair = scales[group];
    return vec4<f32>(unpack2x16float(pair.x), unpack2x16float(pair.y)) * 127.0;
}

// Column n of the result holds 4 inputs of output n.
fn weight_tile(tile: u32, scale: vec4<f32>) -> mat4x4<f32> {
    let words = weights[tile];
    return mat4x4<f32>(
        unpack4x8snorm(words.x) * scale.x,
        unpack4x8snorm(words.y) * scale.y,
        unpack4x8snorm(words.z) * scale.z,
        unpack4x8snorm(words.w) * scale.w,
    );
}
