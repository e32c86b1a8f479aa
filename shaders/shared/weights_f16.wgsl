// f16 weights in tiles of 4 outputs × 4 inputs; a tile is 2 vectors of 4 words, two words an output.
// weights: (N / 4, K / 4, 2)

@group(0) @binding(2) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> scales: array<vec2<u32>>;

fn group_scales(group: u32) -> vec4<f32> {
    return vec4<f32>(1.0);
}

fn four(low: u32, high: u32) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(low), unpack2x16float(high));
}

// Column n of the result holds 4 inputs of output n.
fn weight_tile(tile: u32, scale: vec4<f32>) -> mat4x4<f32> {
    let a = weights[tile * 2];
    let b = weights[tile * 2 + 1];
    return mat4x4<f32>(four(a.x, a.y), four(a.z, a.w), four(b.x, b.y), four(b.z, b.w));
}
