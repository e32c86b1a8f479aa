// q4 weights as int8: the 16 levels are rounded to multiples of 11 units, of which the largest has 127.
// A tile of 4 outputs × 4 inputs is 2 words, two outputs a word, 4 quants of 4 bits an output.
// Scales are f16, 4 outputs to a pair of words, for each group of 32 inputs.
// weights: (N / 4, K / 4), scales: (N / 4, K / 32)

const UNITS: f32 = 11.0;

@group(0) @binding(2) var<storage, read> weights: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read> scales: array<vec2<u32>>;

fn group_scales(group: u32) -> vec4<f32> {
    let pair = scales[group];
    return vec4<f32>(unpack2x16float(pair.x), unpack2x16float(pair.y)) * (LEVEL_UNIT * UNITS);
}

// Four levels as a word of int8; what is packed is a fraction of 127.
fn integers(bits: u32) -> u32 {
    return pack4x8snorm(four_levels(bits) / (UNITS * 127.0));
}

fn weight_words(tile: u32) -> vec4<u32> {
    let words = weights[tile];
    return vec4<u32>(
        integers(words.x),
        integers(words.x >> 16),
        integers(words.y),
        integers(words.y >> 16),
    );
}
