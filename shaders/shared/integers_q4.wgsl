// q4 weights of `weights_q4.wgsl` as int8, four inputs of each of 4 outputs: the 16 levels are rounded to multiples of 11, of
// which the largest is 127 times that.

// What one integer is, in the unit of `group_scales`.
const INTEGER: f32 = 11.0;

// Four levels as a word of int8; what is packed is a fraction of 127.
fn integers(bits: u32) -> u32 {
    return pack4x8snorm(four_levels(bits) / (INTEGER * 127.0));
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
