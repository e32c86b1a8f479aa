// The integers of q8 weights, four inputs of each of 4 outputs, as they lie in `weights_q8.wgsl`.

// What one of them is, in the unit of `group_scales`.
const INTEGER: f32 = 1.0 / 127.0;

fn weight_words(tile: u32) -> vec4<u32> {
    return weights[tile];
}
