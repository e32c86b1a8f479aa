// q8 weights as they are: tiles of 4 outputs × 4 inputs, 1 vector of 4 words, one an output, 4 int8 a word.
// Scales are f16, 4 outputs to a pair of words, for each group of 32 inputs.
// weights: (N / 4, K / 4), scales: (N / 4, K / 32)

@group(0) @binding(2) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> scales: array<vec2<u32>>;

fn group_scales(group: u32) -> vec4<f32> {
    let pair = scales[group];
    return vec4<f32>(unpack2x16float(pair.x), unpack2x16float(pair.y));
}

fn weight_words(tile: u32) -> vec4<u32> {
    return weights[tile];
}
